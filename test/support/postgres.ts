import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, open, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { type Binaries, findBinaries, serverUser, unpack } from './postgres-binaries.ts'

export type Row = Record<string, unknown>

/** How a server ends: it completes what it can, it aborts as in a power loss of the process, or it is killed. */
type Stop = 'fast' | 'immediate' | 'kill'

/** Settings of postgresql.conf. */
type Settings = Record<string, string | number | boolean>

const SIGNALS = { fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const

/** The role that needs a password, by SCRAM, and its password. The role `messenger` needs none. */
export const GUARDED = { user: 'guarded', password: 'the password of the tests' }

type Primary = { url(database: string): string }

/** Creates a table that has a row and belongs to an extension, as PostGIS does. Every PostgreSQL has this extension. */
export const EXTENSION_TABLE = `
  create table spatial_ref_sys (srid int primary key);
  insert into spatial_ref_sys values (4326);
  alter extension plpgsql add table spatial_ref_sys`

/** The name of a standby in `synchronous_standby_names`. */
export const STANDBY = 'standby'

/** Why there is no PostgreSQL on this machine. */
const NO_POSTGRES =
  'There are no binaries of PostgreSQL. Install them with apt-get install postgresql, or run npm ci with optional dependencies.'

/** The option `skip` of a test that needs PostgreSQL. In CI such a test fails instead. */
export const withoutPostgres: string | false = !(await findBinaries()) && !process.env.CI && NO_POSTGRES

/**
 * Starts a PostgreSQL of its own with fsync, in a temporary folder, on a free port of the loopback address. It ends with `end()`,
 * and also when this process ends in any way.
 * @param primary the server of which this one is a standby
 * @param given the binaries, by default those that this machine has
 * @throws an error with the log if it does not start, or if this machine has no binaries
 */
export const startPostgres = async (settings: Settings = {}, primary?: Primary, given?: Binaries) => {
  const binaries = given ?? (await findBinaries())
  if (!binaries) throw new Error(NO_POSTGRES)
  const folder = await mkdtemp(join(tmpdir(), 'messenger-postgres-'))
  const guard = startGuard(folder)
  const user = serverUser()
  if (user.uid !== undefined && user.gid !== undefined) await chown(folder, user.uid, user.gid)
  await chmod(folder, 0o755)
  const bin = 'bin' in binaries ? binaries.bin : await unpack(binaries.packed, join(folder, 'native'))
  const data = join(folder, 'data')
  const log = join(folder, 'log')
  // The commands inherit nothing else: PG* variables of the shell would change what they do.
  const options = { cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' }, ...user }
  // A collation that is not binary shows each query that forgets its own.
  const locale = ['--no-locale', '--locale-provider=icu', '--icu-locale=und', '--encoding=UTF8']
  const init = ['--pgdata', data, '--username=messenger', '--auth=trust', '--no-sync', ...locale]
  // Writes the connection to the primary into the copy, so that it starts as a standby.
  const copy = ['--pgdata', data, '--checkpoint=fast', '--no-sync', '--write-recovery-conf']
  if (primary) {
    const source = `${primary.url('postgres')}?application_name=${STANDBY}`
    await promisify(execFile)(join(bin, 'pg_basebackup'), [...copy, `--dbname=${source}`], options)
  } else {
    await promisify(execFile)(join(bin, 'initdb'), init, options)
    await writeFile(
      join(data, 'pg_hba.conf'),
      `host all ${GUARDED.user} 127.0.0.1/32 scram-sha-256\nhost all,replication all 127.0.0.1/32 trust\n`,
    )
  }

  let server: ChildProcess | undefined
  let port = 0

  /** @returns false if the server ended instead of listening */
  const launch = async (): Promise<boolean> => {
    const all = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 200,
      max_wal_size: '256MB',
      ...settings,
      port,
    }
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const output = await open(log, 'a')
    const started = spawn(join(bin, 'postgres'), ['-D', data, ...flags], {
      ...options,
      // It is in a session of its own, because Ctrl-C must not reach it before the tests are done with it.
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    })
    started.unref()
    await output.close()
    server = started
    guard.watch(started.pid)
    started.once('exit', () => guard.watch(undefined))
    while (!isOver(started)) {
      const client = new pg.Client({ connectionString: url('postgres') })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.end()
        return true
      } catch {
        await pause(20)
      }
    }
    return false
  }

  /** Starts the server again after `stop`, at the same port. */
  const start = async () => {
    // The processes of a killed server end by themselves. Until then a new one refuses to start.
    for (let attempt = 0; attempt < 50; attempt += 1) {
      if (await launch()) return
      await pause(100)
    }
    throw new Error(`PostgreSQL ended: ${await readFile(log, 'utf8')}`)
  }

  const stop = async (how: Stop = 'fast') => {
    if (!server || isOver(server)) return
    const exited = once(server, 'exit')
    server.ref()
    server.kill(SIGNALS[how])
    await exited
  }

  /** Sends a signal to each process of the server. */
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])
    const processes = stdout.split('\n').map((line) => line.trim().split(/ +/).map(Number))
    const pids = processes.flatMap(([pid, parent]) => (parent === server?.pid ? [pid] : []))
    for (const pid of [server?.pid, ...pids]) {
      try {
        process.kill(pid as number, name)
      } catch {
        // A connection that closed meanwhile has no process.
      }
    }
  }

  const url = (
    database: string,
    { user, password }: { user: string; password?: string } = { user: 'messenger' },
  ) => {
    const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
    return `postgres://${user}${secret}@127.0.0.1:${port}/${database}`
  }

  try {
    // Below the range that systems use for outgoing connections, so that the port is still free after a restart.
    for (let attempt = 0; attempt < 10; attempt += 1) {
      port = randomInt(15_000, 32_000)
      if (await launch()) break
    }
    if (!server || isOver(server)) throw new Error(`PostgreSQL ended: ${await readFile(log, 'utf8')}`)
    if (!primary)
      await query(url('postgres'), `create role ${GUARDED.user} login password '${GUARDED.password}'`)
  } catch (error) {
    await guard.end()
    throw error
  }

  return {
    folder,
    /** @returns what `DATABASE_URL` is for a database, by default as a superuser without a password */
    url,
    start,
    stop,
    async restart(how?: Stop) {
      await stop(how)
      await start()
    },
    /** The port on which it listens. */
    port: () => port,
    /** Makes a standby the primary, on the port of the one before it, which has ended. */
    async promote(on: number) {
      await query(url('postgres'), 'select pg_promote()')
      await stop()
      port = on
      await start()
    },
    /** Stops the time of the server: connections stay open and nothing answers, until `thaw`. */
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    /** The log of the server. */
    log: () => readFile(log, 'utf8'),
    /** Ends the server and removes its folder. */
    end: () => guard.end(),
  }
}
/** @returns the rows of a query, read over a connection of its own. `bigint` is a number. */
export const query = async (url: string, sql: string): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: url, types: { getTypeParser } })
  client.on('error', () => {})
  await client.connect()
  try {
    const result = await client.query<Row>(sql)
    return result.rows
  } finally {
    await client.end()
  }
}

const BIGINT: number = pg.types.builtins.INT8

const getTypeParser = ((oid: number, format?: 'text') =>
  oid === BIGINT ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser

const isOver = ({ exitCode, signalCode }: ChildProcess) => exitCode !== null || signalCode !== null

/**
 * Ends the server whose process id it read last, and removes the folder, when its input ends: this process has ended then, or
 * wants it. Another process may be the parent, which does not wait for it: the lock file tells that it is gone.
 */
const GUARD = `
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
  kill -CONT "$pid"
  kill -QUIT "$pid"
  for i in $(seq 200); do
    if [ ! -e "$1/data/postmaster.pid" ] || ! kill -0 "$pid"; then break; fi
    sleep 0.05
  done
fi
rm -rf "$1"`

const startGuard = (folder: string) => {
  const child = spawn('sh', ['-c', GUARD, 'sh', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref()
  const exited = once(child, 'exit')
  return {
    /** @param pid what to end with this process; undefined: nothing */
    watch: (pid: number | undefined) => child.stdin.write(`${pid ?? ''}\n`),
    async end() {
      child.ref()
      child.stdin.end()
      await exited
    },
  }
}
