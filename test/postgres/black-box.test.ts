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
  [
    'It is about files, threads or statements of SQLite.',
    'test/storage/*.test.ts',
    'test/operation/{faults,process}.test.ts',
  ],
  [
    'It needs no database.',
    'test/documents/*.test.ts',
    'test/operation/{attacks,bench,environment,start}.test.ts',
    'test/http/{boot,response}.test.ts',
    'test/realtime/protocol.test.ts',
    'test/messages/{activity,timestamps}.test.ts',
    'test/accounts/passwords.test.ts',
    'test/client/{client-parts,client-generated}.test.ts',
  ],
  ['It is about the page, which talks to a server over HTTP only.', 'test/page/*.test.ts'],
]

const root = fileURLToPath(new URL('../..', import.meta.url))
const filesOf = async (patterns: string[]) => (await Array.fromAsync(glob(patterns, { cwd: root }))).sort()

if (withoutPostgres === false) {
  // The files have the time limit of .taprc each. This one lasts as long as all of them.
  t.setTimeout(0)
  t.jobs = 2
  const server = await startPostgres()
  t.teardown(() => server.end())
  const env = { ...process.env, TEST_DATABASE: 'postgres', TEST_POSTGRES: server.url('postgres') }
  const once = new Map<string, string>()
  for (const [reason, ...patterns] of ONCE) {
    for (const file of await filesOf(patterns)) once.set(file, reason)
  }
  for (const file of await filesOf(['test/**/*.test.ts'])) {
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
