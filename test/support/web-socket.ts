import { WebSocket } from 'ws'

export type HandshakeOptions = {
  /** Where the stream resumes. Without a cursor it starts at the head. */
  cursor?: string | undefined
  headers?: Record<string, string>
  protocols?: string[]
}

/** Starts a handshake with `/ws`, by default for `messenger.v1`. @returns the socket, which is not open yet */
export const openWebSocket = (url: string, token: string, options: HandshakeOptions = {}): WebSocket => {
  const { cursor, headers = {}, protocols = ['messenger.v1'] } = options
  const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
  return new WebSocket(`${url.replace('http', 'ws')}/ws${query}`, protocols, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
}
