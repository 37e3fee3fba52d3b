import { StorageError } from '../db/errors.ts'
import { withoutPassword } from '../db/url.ts'
import { type App, buildApp } from './app.ts'
import { type Config, ConfigError, loadConfig, loadDotEnv, nodeName } from './config.ts'
import { onStopSignal } from './signals.ts'

/** Milliseconds until a stop closes connections whose requests have not finished. */
const STOP_TIMEOUT = 3000

/** Milliseconds until a stop gives up, even if writes still wait for the disk. */
const STOP_DEADLINE = 4000

/** Milliseconds that the writer thread then has to end. */
const THREAD_TIMEOUT = 200

/** Starts a server with the configuration of the environment. This is the only call of listen(). */
const main = async () => {
  loadDotEnv()
  const config = loadConfig(process.env)
  const app = await buildApp(config, { logger: await logger(config) })
  announce(app, config)
  const listenTextResolver = (address: string) => `listening on ${address}`
  await app.listen({ host: config.HOST, port: config.PORT, listenTextResolver })
  void stopWhenBroken(app)
  onStopSignal(() => stop(app, 0))
}

/** After a failed fsync the state in memory may differ from the disk. Only a new process can read it again. */
const stopWhenBroken = async (app: App) => {
  const error = await app.database.broken
  app.log.fatal({ err: error }, 'storage failed; stopping')
  stop(app, 1)
}

const logger = async ({ LOG_LEVEL }: Config) => ({
  level: LOG_LEVEL,
  /* c8 ignore next -- a test needs script(1) for a terminal, which not every system has */
  ...(process.stdout.isTTY && { stream: await formatted() }),
})

/* c8 ignore next 4 -- as above */
/** A bundle cannot have the thread of a pino transport, and a terminal does not need one. */
const formatted = async () => {
  const { build } = await import('pino-pretty')
  return build({ ignore: 'pid,hostname', sync: true })
}

const announce = (app: App, config: Config) => {
  app.log.info(`node: ${nodeName(config)}`)
  app.log.info(`database: ${withoutPassword(config.DATABASE_URL)}`)
  const mode = config.AUTH_MODE ?? 'open'
  app.log.info(`auth mode ${mode}${explanations[mode]}`)
  for (const issuer of app.issuers.keys()) app.log.info(`tokens of ${issuer} are accepted`)
  if (mode === 'password' && config.REGISTRATION === 'open') {
    app.log.info(
      'registration is open: anyone who can reach this server can create an account; with REGISTRATION=closed only "npm run admin -- create-user" creates accounts',
    )
  }
}

const explanations: Record<NonNullable<Config['AUTH_MODE']>, string> = {
  open: ': an account without a password needs only its name to log in',
  password: '',
  external: ': no logins, only tokens of the app',
}

let stopping: Promise<void> | undefined

/** Finishes open requests, closes sockets with 1001, closes the database, and ends the process. */
const stop = (app: App, exitCode: 0 | 1) => {
  // Storage may fail during a stop.
  if (exitCode === 1 || !stopping) process.exitCode = exitCode
  stopping ??= (async () => {
    const { server } = app
    // close() waits for idle keep-alive connections and for requests that never finish.
    const idle = setInterval(() => server.closeIdleConnections(), 100)
    /* c8 ignore next -- whether a connection is still open by then is a race */
    const late = setTimeout(() => server.closeAllConnections(), STOP_TIMEOUT)
    const deadline = setTimeout(() => void abandon(app), STOP_DEADLINE)
    await app.close()
    clearInterval(idle)
    clearTimeout(late)
    clearTimeout(deadline)
    process.exit()
  })()
}

/** Ends the process although writes still wait for the disk. Their requests were not answered, so nothing was promised. */
const abandon = async (app: App) => {
  app.log.error(
    { pending: app.database.writer.pending },
    'the stop took too long; pending writes are not answered',
  )
  // process.exit() would wait for a thread that is blocked in a system call.
  /* c8 ignore next -- SIGKILL also ends the collection of coverage */
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), THREAD_TIMEOUT)
  await app.database.writer.terminate()
  process.exit()
}

/** @returns the operator's mistake as a sentence. @throws the error itself if it is a bug */
const describeMistake = (error: unknown): string => {
  if (error instanceof ConfigError || error instanceof StorageError) return error.message
  const { code, address, port } = error as { code?: string; address?: string; port?: number }
  if (code === 'EADDRINUSE') return `Port ${port} is in use. Set PORT to another one.`
  /* c8 ignore start -- which addresses are forbidden depends on the machine; other errors are bugs */
  if (code === 'EACCES' || code === 'EADDRNOTAVAIL')
    return `The server is not allowed to listen on ${address}, port ${port}. Set HOST and PORT to others.`
  throw error
  /* c8 ignore stop */
}

try {
  await main()
  /* c8 ignore start -- the process ends here, and may end before coverage is written */
} catch (error) {
  console.error(describeMistake(error))
  process.exit(1)
}
/* c8 ignore stop */
