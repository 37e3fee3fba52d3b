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

/** A connection that says just what it is told to, and keeps what comes back. */
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
    /** Resolves with all that came, when the server has closed. */
    closed,
    write: (bytes: string | Uint8Array) => socket.write(bytes),
    /** Waits until what came fits. @throws when the connection is closed before */
    async until(fits: (received: Buffer) => boolean): Promise<Buffer> {
      while (!fits(received)) {
        if (socket.destroyed) throw new Error(`closed after: ${received.toString()}`)
        await new Promise<void>((resolve) => {
          notify = resolve
        })
      }
      return received
    },
  }
}

/** @returns the replies that stand in `bytes`, in order. */
export const replies = (bytes: Buffer) => {
  const found: { status: number; headers: Record<string, string>; body: unknown }[] = []
  let rest = bytes.toString('latin1')
  while (rest.startsWith('HTTP/1.1 ')) {
    const end = rest.indexOf('\r\n\r\n')
    const [line = '', ...fields] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      fields.map((field) => {
        const colon = field.indexOf(':')
        return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
      }),
    )
    const length = Number(headers['content-length'] ?? 0)
    const body = rest.slice(end + 4, end + 4 + length)
    const isJson = headers['content-type']?.includes('json') && body !== ''
    found.push({ status: Number(line.split(' ')[1]), headers, body: isJson ? JSON.parse(body) : body })
    rest = rest.slice(end + 4 + length)
  }
  return found
}
