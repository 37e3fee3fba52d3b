import { once } from 'node:events'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Problem } from '../../schemas/problem.ts'
import type { Reply } from './server.ts'

/** @returns an open TCP connection, whose later errors show as its close */
export const openTcp = async (port: number): Promise<Socket> => {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  return socket.on('error', () => {})
}

/** Opens a TCP connection for bytes that an HTTP client would not send. It keeps every received byte. */
export const dial = async (t: Test, url: string) => {
  const socket = await openTcp(Number(new URL(url).port))
  t.teardown(() => socket.destroy())
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

/** Opens a connection with `dial`, together with its socket `tcp` in the server. `tcpClosed` resolves when that is closed. */
export const dialServer = async (t: Test, server: Server) => {
  const arrived = once(server, 'connection')
  const connection = await dial(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const [tcp] = (await arrived) as [Socket]
  const tcpClosed = new Promise((resolve) => tcp.once('close', resolve))
  return { ...connection, tcp, tcpClosed }
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

/** @returns the number of replies in `bytes`, of which the last can be incomplete. */
export const countReplies = (bytes: Buffer) => bytes.toString('latin1').split('HTTP/1.1 ').length - 1

/** @returns the HTTP replies in `bytes`, in order. */
export const replies = (bytes: Buffer): Reply<Problem>[] => {
  const first = readReply(bytes)
  if (!first) return []
  const { status, headers, body, length } = first
  const isJson = headers.get('content-type')?.includes('json') && body !== ''
  return [{ status, headers, body: isJson ? JSON.parse(body) : body }, ...replies(bytes.subarray(length))]
}

/**
 * Reads the first HTTP reply in `bytes`.
 * @param isHead whether the request was a HEAD, whose reply has no body
 * @returns the reply and its length, which exceeds `bytes` until the body has arrived; undefined until the head has arrived
 */
export const readReply = (bytes: Buffer, isHead = false) => {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0 || bytes.toString('latin1', 0, 9) !== 'HTTP/1.1 ') return undefined
  const [line = '', ...fields] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = new Headers(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon), field.slice(colon + 1)]
    }),
  )
  const length = end + 4 + (isHead ? 0 : Number(headers.get('content-length')))
  return {
    status: Number(line.split(' ')[1]),
    headers,
    body: bytes.toString('utf8', end + 4, length),
    length,
  }
}
