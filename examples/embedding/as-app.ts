import { serverKey, serverUrl } from './settings.ts'

/** Calls the server of the chat with the key of the app. @throws an error with the server's problem */
export const asApp = async <T>(
  method: string,
  path: string,
  body?: object,
  onBehalfOf?: string,
): Promise<T> => {
  const reply = await fetch(serverUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${serverKey}`,
      ...(body && { 'content-type': 'application/json' }),
      ...(onBehalfOf && { 'on-behalf-of': encodeURIComponent(onBehalfOf) }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${path}: ${text}`)
  return (text === '' ? undefined : JSON.parse(text)) as T
}
