import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Problem } from '../../schemas/problem.ts'
import type { Reply } from './server.ts'

/** Opens a TCP connection for bytes that an HTTP client would not send. It keeps every received byte. */
export const dial = async (t: Test, url: string) => {
  const socket: Socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) })
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  let received = Buffer.alloc(0)
  let notify = () => {}
  const closed = new Promise<Buffer>((resolve) => {
    socket.on('close', () => {
      notify()
      resolve(received)
    })
  })
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    notify()
  })
  await once(socket, 'connect')
  return {
    socket,
    /** Resolves with all received bytes when the connection is closed. */
    closed,
    write: (bytes: string | Uint8Array) => socket.write(bytes),
    /** Waits until the received bytes match. @throws an error if the connection closes before that */
    async until(matches: (received: Buffer) => boolean): Promise<Buffer> {
      while (!matches(received)) {
        if (socket.destroyed) throw new Error(`The connection was closed after: ${received.toString()}`)
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
      return received
    },
  }
}

/** Sends bytes unchanged. @returns the replies of the server, once it has closed the connection */
export const sendRaw = async (t: Test, url: string, bytes: string | Uint8Array) => {
  const connection = await dial(t, url)
  connection.write(bytes)
  return replies(await connection.closed)
}

/** @returns the bytes of an HTTP/1.1 request, with a JSON body if one is given. */
export const rawRequest = (method: string, path: string, token: string, body?: string): string =>
  `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${
    body === undefined
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
  }\r\n${body ?? ''}`

/** @returns the HTTP replies in `bytes`, in order. */
export const replies = (bytes: Buffer) => {
  const found: Reply<Problem>[] = []
  let rest = bytes.toString('latin1')
  while (rest.startsWith('HTTP/1.1 ')) {
    const end = rest.indexOf('\r\n\r\n')
    const [line = '', ...fields] = rest.slice(0, end).split('\r\n')
    const headers = new Headers(
      fields.map((field): [string, string] => {
        const colon = field.indexOf(':')
        return [field.slice(0, colon), field.slice(colon + 1)]
      }),
    )
    const length = Number(headers.get('content-length'))
    const body = Buffer.from(rest.slice(end + 4, end + 4 + length), 'latin1').toString()
    const isJson = headers.get('content-type')?.includes('json') && body !== ''
    found.push({ status: Number(line.split(' ')[1]), headers, body: isJson ? JSON.parse(body) : body })
    rest = rest.slice(end + 4 + length)
  }
  return found
}
