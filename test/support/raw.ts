import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Problem } from '../../schemas/problem.ts'

/** A TCP connection to the server: for what no HTTP client would send. */
export const openRaw = async (t: Test, url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** Sends bytes as they are. @returns the reply, once the server has closed the connection. */
export const sendRaw = async (t: Test, url: string, request: string | Buffer) => {
  const socket = await openRaw(t, url)
  socket.write(request)
  return readReply(socket)
}

/** @returns the one reply of a connection that the server closes. */
export const readReply = async (socket: Socket) => {
  let text = ''
  for await (const chunk of socket) text += chunk
  const [head = '', body = ''] = text.split('\r\n\r\n', 2)
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Headers(lines.map((line) => line.split(': ', 2) as [string, string]))
  return {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: (body === '' ? undefined : JSON.parse(body)) as Problem,
  }
}
