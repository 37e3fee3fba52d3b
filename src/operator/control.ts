import { rmSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { relative } from 'node:path'
import { text } from 'node:stream/consumers'

/** Bytes of the longest socket path that every operating system accepts. */
const MAX_PATH = 100

/** The result of a command, as it is sent over the control socket. */
export type Reply = { ok: true; value: unknown } | { ok: false; message: string }

/**
 * @param path the path of the database for it, if there is one
 * @returns the path of the control socket, which only the server's own user can open; undefined if the path is too long,
 *   and then the operator has to stop the server to run a command
 */
export const controlAddress = (path: string | undefined): string | undefined => {
  if (path === undefined) return undefined
  /* c8 ignore next 3 -- the tests run on Unix */
  if (process.platform === 'win32') {
    return `\\\\.\\pipe\\messenger-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
  }
  return [path, relative(process.cwd(), path)].find((name) => Buffer.byteLength(name) <= MAX_PATH)
}

/**
 * Listens on the control socket. Each connection carries one JSON request and one JSON reply. The caller must be the only
 * server of the database, because an existing socket is replaced.
 * @param run executes a request; it must not throw
 */
export const serveControl = (address: string, run: (request: string) => Promise<Reply>) => {
  const reading = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    reading.add(socket)
    socket.on('close', () => reading.delete(socket))
    socket.on('error', () => {})
    text(socket)
      .then(async (request) => {
        reading.delete(socket)
        return socket.end(JSON.stringify(await run(request)))
      })
      .catch(() => socket.destroy())
  })
  // A killed server leaves its socket behind.
  if (process.platform !== 'win32') rmSync(address, { force: true })
  const umask = process.umask(0o177)
  server.listen(address)
  process.umask(umask)
  return {
    server,
    /** Finishes the commands that have arrived, and closes connections that have not sent one. */
    async close() {
      /* c8 ignore next -- whether a stop comes before the server listens is a race */
      if (!server.listening) return
      server.close()
      for (const socket of reading) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** @returns the reply of the running server; undefined if none listens */
export const callControl = async (address: string, request: object): Promise<Reply | undefined> => {
  const socket = connect({ path: address, allowHalfOpen: true })
  const opened = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
  })
  if (!opened) return undefined
  socket.end(JSON.stringify(request))
  const answer = await text(socket).catch(() => '')
  return answer === ''
    ? { ok: false, message: 'The server ended before it answered. Check whether the command took effect.' }
    : JSON.parse(answer)
}
