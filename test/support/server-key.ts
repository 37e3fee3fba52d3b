import type { Test } from 'tap'
import { operator } from './operator.ts'
import { call, type Env, type Server, startServer } from './server.ts'

/** Creates a server key. @returns the key, and a function that calls the API with it */
export const createApp = async ({ folder, url }: Pick<Server, 'folder' | 'url'>, name = 'app') => {
  const { admin } = operator(folder)
  const { out, err } = await admin(['key', 'create', name, '--json'])
  if (err !== '') throw new Error(err)
  const { key } = JSON.parse(out) as { key: string }
  return {
    key,
    call: <T = { code: string }>(
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ) => call<T>(url, method, path, { token: key, headers, ...(body !== undefined && { body }) }),
  }
}

/** Starts a server with a server key. `asApp` calls its API with the key. */
export const startWithKey = async (t: Test, env: Env = {}) => {
  const server = await startServer(t, env)
  const { key, call: asApp } = await createApp(server)
  return { ...server, key, asApp }
}
