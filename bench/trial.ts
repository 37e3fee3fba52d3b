/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { constants, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../test/support/process.ts'
import type { Job } from './load/job.ts'
import type { Scenario } from './load/scenarios.ts'
import type { Load } from './load/window.ts'

/** The process that serves a trial. */
export type Server = {
  /** Arguments after `node` on the command line. */
  args: readonly string[]
  env?: Record<string, string>
  /** Path of a database that is copied into the trial's folder. Absent: the server creates one. */
  database?: string
  /** Milliseconds added to each fsync. */
  fsyncDelay?: number
}

export type Work = Pick<Job, 'warmUp' | 'measure'> &
  Partial<Omit<Job, 'port' | 'pid'>> & { scenario: Scenario }

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export const bareHttp: Server = { args: [here('bare/http.ts')] }
export const bareSocket: Server = { args: [here('bare/socket.ts')] }
export const bareBroadcast: Server = { args: [here('bare/socket.ts')], env: { BROADCAST: '1' } }
export const product = (root: string): Server => ({ args: [join(root, 'bin/messenger.js')] })
export const oneByOne = (root: string): Server => ({
  args: [here('drivers/one-by-one.ts')],
  env: { PRODUCT_ROOT: root },
})

/** Lets a server use a database in PostgreSQL. */
export const onPostgres = (server: Server, url: string): Server => ({
  ...server,
  env: { ...server.env, DATABASE_URL: url },
})

/** Node's options as in `npm start`, used for both sides: the size of the young generation affects a socket's memory. */
const nodeOptions = (
  JSON.parse(readFileSync(here('../package.json'), 'utf8')) as { scripts: { start: string } }
).scripts.start
  .split(' ')
  .filter((word) => word.startsWith('--'))

/** Limits that the load of a single machine would reach at once. Everything else runs with its defaults. */
export const LIFTED = {
  RATE_LIMIT_LOGIN: '0',
  RATE_LIMIT_SEND: '0',
  SOCKET_FRAMES_PER_SECOND: '1000000',
  MAX_LOOP_DELAY_MS: '0',
}

/** Starts a server in an empty folder, runs the load generator against it, and stops both. */
export const runTrial = (server: Server, work: Work): Promise<Load> =>
  withServer(server, ({ port, pid }) => runLoad(port, pid, work))

/**
 * Starts a server in an empty folder and calls `body` once it listens. Afterwards stops the server and removes the folder.
 * @param body `started` is the time of the spawn, as `performance.now()` gives it
 */
export const withServer = async <T>(
  { args, env, database, fsyncDelay }: Server,
  body: (server: { port: number; pid: number; started: number }) => Promise<T>,
): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-bench-'))
  const port = await freePort()
  if (database) copyFileSync(database, join(folder, 'messenger.db'), constants.COPYFILE_FICLONE)
  const slow = fsyncDelay === undefined ? undefined : slowly(fsyncDelay)
  const [command, ...before] = slow?.strace ?? [process.execPath]
  const started = performance.now()
  const child = spawn(command as string, [...before, ...nodeOptions, ...args], {
    cwd: folder,
    env: {
      ...process.env,
      NODE_ENV: '',
      DATABASE_URL: 'sqlite:messenger.db',
      HOST: '127.0.0.1',
      PORT: String(port),
      ...LIFTED,
      ...env,
      // The writer's thread gets these options too, unlike those of the command line.
      NODE_OPTIONS: [...profiling(), ...(slow?.preload ?? [])].join(' '),
      ...(fsyncDelay !== undefined && { COMMIT_DELAY_MS: String(fsyncDelay) }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  try {
    await isListening(child, exited)
    return await body({ port, pid: child.pid as number, started })
  } finally {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 5000)
    await exited
    clearTimeout(late)
    rmSync(folder, { recursive: true, force: true })
  }
}

export const runLoad = async (port: number, pid: number, { scenario, ...work }: Work): Promise<Load> => {
  const job: Job = { port, pid, isBare: false, users: 64, connections: 64, inFlight: 8, ...work }
  const child = spawn(process.execPath, [here('load/main.ts'), scenario, JSON.stringify(job)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the load generator failed at ${scenario}`)
  return JSON.parse(output) as Load
}

/** Adds the delay to fsync by strace, whose filter leaves all other system calls alone, or to commits by a preloaded module. */
const slowly = (ms: number): { strace?: string[]; preload?: string[] } =>
  process.env.BENCH_STRACE === '0' || !hasStrace()
    ? { preload: [`--import=${new URL('drivers/slow-commits.ts', import.meta.url)}`] }
    : {
        strace: [
          ...['strace', '-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'],
          ...['-e', `inject=fsync,fdatasync:delay_exit=${ms * 1000}`, process.execPath],
        ],
      }

/** Whether strace can add the delay. The results say which way was used. */
export const hasStrace = () => spawnSync('strace', ['--seccomp-bpf', '-f', 'true']).status === 0

/** BENCH_PROFILE names a folder for CPU profiles of the servers and their threads. */
const profiling = () =>
  process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`] : []

const isListening = (child: ChildProcess, exited: Promise<unknown[]>) =>
  Promise.race([
    new Promise<void>((resolve) => {
      let output = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        output += chunk.toString()
        if (output.includes('listening on')) resolve()
      })
    }),
    exited.then(() => {
      throw new Error('the server ended before it listened')
    }),
  ])
