import t from 'tap'
import { query, startPostgres, withoutPostgres as skip } from '../support/postgres.ts'
import { startServer } from '../support/server.ts'

t.test('a node opens DATABASE_CONNECTIONS connections, and further reads wait', { skip }, async (t) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.end())
  const url = postgres.url('postgres')
  const { app, login } = await startServer(t, { DATABASE_URL: url, DATABASE_CONNECTIONS: '3' })
  const alice = await login('alice')
  const { promise: held, resolve: release } = Promise.withResolvers<void>()
  const holding = [1, 2].map(() => app.database.reader.snapshot(() => held))
  const reading = alice.call('GET', '/conversations')
  const full = { open: 2, idle: 0, waiting: 1 }
  const { figures } = app.database
  while (JSON.stringify(figures().reading) !== JSON.stringify(full))
    await new Promise((resolve) => setImmediate(resolve))
  release()
  // On a slow machine PostgreSQL may have ended them meanwhile.
  await Promise.allSettled(holding)
  t.match(await reading, { status: 200 })
  t.match(await login('bob'), { username: 'bob' })
  const count = "select count(*) as n from pg_stat_activity where application_name = 'messenger'"
  t.strictSame(await query(url, count), [{ n: 4 }], 'and one for signals')
  t.ok(figures().lockWait > 0)
})
