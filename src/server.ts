import { StorageError } from '../db/errors.ts'
import { type App, buildApp } from './app.ts'
import { type Config, ConfigError, loadConfig, loadDotEnv } from './config.ts'
import { onStopSignal } from './signals.ts'

/** Milliseconds after which a stop no longer waits for requests that don't end. */
const STOP_TIMEOUT = 3000

/** Milliseconds after which a stop waits for nothing, the disk included. */
const STOP_DEADLINE = 4000

/** Milliseconds that the writer's thread then has to end. */
const THREAD_TIMEOUT = 200

/** Starts the server that the environment describes. The only listen(). */
const main = async () => {
  loadDotEnv()
  const config = loadConfig(process.env)
  const app = await buildApp(config, { logger: logger(config) })
  announce(app, config)
  const listenTextResolver = (address: string) => `listening on ${address}`
  await app.listen({ host: config.HOST, port: config.PORT, listenTextResolver })
  void stopWhenBroken(app)
  onStopSignal(() => stop(app, 0))
}

/** After a failed fsync what is in memory can't be trusted: a new process reads what is on the disk. */
const stopWhenBroken = async (app: App) => {
  const error = await app.database.broken
  app.log.fatal({ err: error }, 'storage failed; stopping')
  stop(app, 1)
}

const logger = ({ LOG_LEVEL }: Config) => ({
  level: LOG_LEVEL,
  /* c8 ignore next -- not every system has script(1) to make a terminal for the tests */
  ...(process.stdout.isTTY && { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname' } } }),
})

const announce = (app: App, config: Config) => {
  app.log.info(`messages are kept in ${config.DATABASE_URL}`)
  const isOpen = config.AUTH_MODE !== 'password'
  app.log.info(
    `auth mode ${isOpen ? 'open: a name is enough to log in, unless its account has a password' : 'password'}`,
  )
  if (!isOpen && config.REGISTRATION === 'open') {
    app.log.info(
      'registration is open: anybody who reaches this server can make an account; REGISTRATION=closed leaves that to "npm run admin -- create-user"',
    )
  }
}

let stopping: Promise<void> | undefined

/** Answers what is in flight, closes sockets with 1001, closes the database, and ends the process. */
const stop = (app: App, exitCode: 0 | 1) => {
  // Storage may fail while a stop is under way.
  if (exitCode === 1 || !stopping) process.exitCode = exitCode
  stopping ??= (async () => {
    const { server } = app
    // close() waits for connections that are kept alive, and for ever for a request that never ends.
    const idle = setInterval(() => server.closeIdleConnections(), 100)
    /* c8 ignore next -- whether anything is left by then is a race */
    const late = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT)
    const deadline = setTimeout(() => void abandon(app), STOP_DEADLINE)
    await app.close()
    clearInterval(idle)
    clearTimeout(late)
    clearTimeout(deadline)
    process.exit()
  })()
}

/** Ends the process though writes still wait for the disk: what is not answered was not promised. */
const abandon = async (app: App) => {
  app.log.error(
    { pending: app.database.writer.pending },
    'the stop took too long; what still waits is not answered',
  )
  // A thread that hangs inside the system does not end, and an exit would wait for it.
  /* c8 ignore next -- what it reached ends with it */
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), THREAD_TIMEOUT)
  await app.database.writer.terminate()
  process.exit()
}

/** @returns what the one who started it did wrong. @throws what is a fault of ours */
const sentence = (error: unknown): string => {
  if (error instanceof ConfigError || error instanceof StorageError) return error.message
  const { code, address, port } = error as { code?: string; address?: string; port?: number }
  if (code === 'EADDRINUSE') return `Port ${port} is in use: choose another with PORT.`
  /* c8 ignore start -- what a user may not listen on differs from machine to machine; what is no mistake of theirs is ours */
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return `The server may not listen on ${address}, port ${port}.`
  throw error
  /* c8 ignore stop */
}

try {
  await main()
  /* c8 ignore start -- the process ends here, and what it reached may end with it */
} catch (error) {
  console.error(sentence(error))
  process.exit(1)
}
/* c8 ignore stop */
