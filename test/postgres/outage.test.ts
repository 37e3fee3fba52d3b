import t, { type Test } from 'tap'
import type { Message } from '../../schemas/message.ts'
import { startPostgres, withoutPostgres as skip } from '../support/postgres.ts'
import { type Person, startServer } from '../support/server.ts'

/** Starts a PostgreSQL, and a server on it. */
const start = async (t: Test) => {
  const postgres = await startPostgres()
  t.teardown(() => postgres.end())
  const server = await startServer(t, { DATABASE_URL: postgres.url('postgres') })
  return {
    postgres,
    ...server,
    ready: () => server.call('GET', '/health/ready'),
    metrics: async () => (await fetch(`${server.url}/metrics`)).text(),
  }
}

const send = (person: Person, content: string) =>
  person.call(
    'POST',
    '/send',
    { receiver_username: person.username, content },
    { 'Idempotency-Key': content },
  )

const contents = async (person: Person) =>
  (await person.call<Message[]>('GET', `/history/${person.username}?limit=100`)).body.map(
    ({ content }) => content,
  )

const unavailable = (detail: RegExp) => ({
  status: 503,
  body: { code: 'STORAGE_UNAVAILABLE', detail },
})

t.test(
  'a node works again after each restart of the database, without a restart of its own',
  { skip },
  async (t) => {
    const { postgres, ready, login, metrics } = await start(t)
    const alice = await login('alice')
    const socket = await alice.connect()
    await send(alice, 'before')
    const expected = ['before']
    for (const how of ['fast', 'immediate', 'kill'] as const) {
      await postgres.stop(how)
      let reply = await ready()
      // A good result of the probe is reused for one second.
      while (reply.status === 200) reply = await ready()
      t.match(reply, unavailable(/The database does not answer/), how)
      t.match(await metrics(), 'messenger_database_role{role="unreachable"} 1')
      for (const refused of [await send(alice, how), await alice.call('GET', '/conversations')]) {
        t.match(refused, unavailable(/The database does not answer/))
        t.ok(Number(refused.headers.get('retry-after')) > 0)
      }
      const frame = await socket.request({ type: 'send', receiver_username: 'alice', content: how })
      t.match(frame, { type: 'error', retryable: true, problem: { code: 'STORAGE_UNAVAILABLE' } })
      await postgres.start()
      while ((await ready()).status !== 200);
      t.match(await metrics(), 'messenger_database_role{role="primary"} 1')
      t.match(await send(alice, how), { status: 200 })
      expected.push(how)
      t.strictSame(await contents(alice), expected)
      await socket.wait('message', ({ content }) => content === how)
    }
  },
)

t.test('requests end while the database is frozen, and a repeat is stored once', { skip }, async (t) => {
  const { postgres, ready, login } = await start(t)
  const alice = await login('alice')
  t.match(await ready(), { status: 200 })
  await postgres.freeze()
  const sends = Promise.all(['one', 'two', 'three'].map((content) => send(alice, content)))
  const reads = Promise.all(Array.from({ length: 30 }, () => alice.call('GET', '/conversations')))
  let reply = await ready()
  while (reply.status === 200) reply = await ready()
  t.match(reply, unavailable(/The database did not respond within one second/))
  for (const refused of [...(await sends), ...(await reads)]) {
    t.match(refused, unavailable(/The database does not answer/))
    t.ok(Number(refused.headers.get('retry-after')) > 0)
  }
  // The write of a probe ends too.
  while (!/does not answer/.test(JSON.stringify(reply.body))) reply = await ready()
  await postgres.thaw()
  while ((await ready()).status !== 200);
  for (const content of ['one', 'two', 'three']) t.match(await send(alice, content), { status: 200 })
  t.strictSame(await contents(alice), ['one', 'two', 'three'])
})
