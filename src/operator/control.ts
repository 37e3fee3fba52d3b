import { rmSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { relative } from 'node:path'
import { text } from 'node:stream/consumers'

/** The longest name that every system takes for a socket. */
const MAX_PATH = 100

/** What came of a command, as it goes over the socket. */
export type Reply = { ok: true; value: unknown } | { ok: false; message: string }

/**
 * @param path a file beside the database
 * @returns where a running server listens to its operator: a socket that its own user alone may open. Undefined where
 *   the path is too long for one; then the operator has to stop the server.
 */
export const controlAddress = (path: string): string | undefined => {
  /* c8 ignore next 3 -- the tests run on Unix */
  if (process.platform === 'win32') {
    return `\\\\.\\pipe\\messenger-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
  }
  return [path, relative(process.cwd(), path)].find((name) => Buffer.byteLength(name) <= MAX_PATH)
}

/**
 * Listens for commands: one line of JSON a connection, and one back. The caller is the only server of the database.
 * @param run never throws
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
  // One that a killed server left behind.
  if (process.platform !== 'win32') rmSync(address, { force: true })
  const umask = process.umask(0o177)
  server.listen(address)
  process.umask(umask)
  return {
    server,
    /** Answers the commands that came; who has not said what is to be done is not waited for. */
    async close() {
      /* c8 ignore next -- whether a stop comes before it listens is a race */
      if (!server.listening) return
      server.close()
      for (const socket of reading) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** @returns what the running server answers; undefined where none listens. */
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
    ? { ok: false, message: 'The server ended before it answered: look whether it was done.' }
    : JSON.parse(answer)
}
