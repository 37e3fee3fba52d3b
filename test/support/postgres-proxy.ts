import { connect, createServer, type Socket } from 'node:net'
import { listen } from './listen.ts'
import type { Owner } from './process.ts'

/** The answer to a commit: a message CommandComplete with its tag. */
const COMMITTED = Buffer.from('C\0\0\0\x0bCOMMIT\0', 'latin1')

/** Cuts a connection at a commit: before it reaches the server, or when the server has answered it. */
type Cut = 'before' | 'after'

/**
 * A proxy in front of a PostgreSQL database that loses the connection of a client at the worst moment.
 * @param change replaces what clients send
 */
export const startPostgresProxy = async (
  t: Owner,
  database: string,
  change: (chunk: Buffer) => Buffer = (chunk) => chunk,
) => {
  const target = new URL(database)
  const sockets = new Set<Socket>()
  let cut: { at: Cut; done: () => void } | undefined

  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) })
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    const pipe = (from: Socket, to: Socket, at: Cut, isCommit: (chunk: Buffer) => boolean) => {
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        if (cut?.at === at && isCommit(chunk)) {
          cut.done()
          cut = undefined
          end()
        } else to.write(from === client ? change(chunk) : chunk)
      })
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
    // The second round trip of a batch has its commit and the row of `commits`.
    pipe(client, upstream, 'before', (chunk) => chunk.includes('commit\0') && chunk.includes('insert feed'))
    pipe(upstream, client, 'after', (chunk) => chunk.includes(COMMITTED))
  })
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  const own = new URL(database)
  own.port = new URL(await listen(t, server)).port
  return {
    url: own.href,
    /** Cuts the connection of the next commit. @returns a promise that resolves then */
    cutNextCommit: (at: Cut) =>
      new Promise<void>((done) => {
        cut = { at, done }
      }),
    /** Cuts every open connection. */
    cutAll: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
