import { glob } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startPostgres, withoutPostgres } from '../support/postgres.ts'

/** The files that do not run a second time, on PostgreSQL, and why. A new file does. */
const ONCE: [reason: string, ...patterns: string[]][] = [
  [
    'It starts its own PostgreSQL, whatever the other tests run on.',
    'test/postgres/!(bus|faults|feed|nodes).test.ts',
  ],
  ['It is about files, threads or statements of SQLite.', 'test/storage/!(cache).test.ts'],
  ['It fills and checks files of SQLite.', 'test/operation/attacks.test.ts'],
  ['It starts servers on both databases.', 'test/operation/bench.test.ts'],
  [
    'It reads and writes nothing in a database.',
    'test/documents/{changelog,compatibility,documents,embedding,public-judges,reference,schemas}.test.ts',
    'test/operation/{environment,start}.test.ts',
    'test/http/boot.test.ts',
    'test/realtime/protocol.test.ts',
    'test/messages/{activity,timestamps}.test.ts',
    'test/accounts/passwords.test.ts',
    'test/webhooks/retries.test.ts',
    'test/storage/cache.test.ts',
  ],
  [
    'It is about a program that talks to a server over HTTP and sockets only.',
    'test/page/*.test.ts',
    'test/client/*.test.ts',
    'test/documents/{generated-sdk,python-sdk}.test.ts',
    'test/examples/!(webhook-chaos).test.ts',
  ],
  [
    'It is about HTTP before a route is called.',
    'test/http/{bodies,cors,field-errors,hostile-bodies,hostile-http,static-files}.test.ts',
  ],
]

const root = fileURLToPath(new URL('../..', import.meta.url))
const filesOf = async (pattern: string) => (await Array.fromAsync(glob(pattern, { cwd: root }))).sort()

if (withoutPostgres === false) {
  // The files have the time limit of .taprc each. This one lasts as long as all of them.
  t.setTimeout(0)
  t.jobs = 2
  const server = await startPostgres()
  t.teardown(() => server.end())
  const env = { ...process.env, TEST_DATABASE: 'postgres', TEST_POSTGRES: server.url('postgres') }
  const once = new Map<string, string>()
  for (const [reason, ...patterns] of ONCE) {
    for (const pattern of patterns) {
      const files = await filesOf(pattern)
      if (files.length === 0) t.fail(`No test file matches ${pattern}. Remove the pattern.`)
      for (const file of files) once.set(file, reason)
    }
  }
  for (const file of await filesOf('test/**/*.test.ts')) {
    const name = `${file} on PostgreSQL`
    const reason = once.get(file)
    if (reason !== undefined) t.test(name, { skip: reason }, () => {})
    else {
      void t.spawn(process.execPath, [...process.execArgv, file], {
        name,
        cwd: root,
        env,
        buffered: true,
        timeout: 240_000,
      })
    }
  }
} else t.plan(0, withoutPostgres)
