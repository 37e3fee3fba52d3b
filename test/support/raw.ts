import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Problem } from '../../schemas/problem.ts'
import type { Reply } from './server.ts'

/** A TCP connection that says just what it is told to, for what no HTTP client would send, and keeps what comes back. */
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

/** Sends bytes as they are. @returns what the server answers to them, once it has closed the connection. */
export const sendRaw = async (t: Test, url: string, bytes: string | Uint8Array) => {
  const connection = await dial(t, url)
  connection.write(bytes)
  return replies(await connection.closed)
}

/** @returns the replies that stand in `bytes`, in order. */
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
