import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { InDoubt, runBatch, wasCommitted } from '../../db/dialects/postgres/batch.ts'
import { connect } from '../../db/dialects/postgres/connection.ts'
import { migrate } from '../../db/dialects/postgres/migrations/index.ts'
import type { Session } from '../../db/dialects/postgres/session.ts'
import { readColumnTypes } from '../../db/dialects/postgres/sets.ts'
import type { Operation } from '../../db/operations/index.ts'
import { createCaches } from '../../db/transaction.ts'
import { query as queryOnce, withoutPostgres as skip } from '../support/postgres.ts'
import { readInProbe } from '../support/reads.ts'
import { createPostgres } from '../support/test-database.ts'

type Statement = string | { text: string; name?: string }
const textOf = (statement: Statement) => (typeof statement === 'string' ? statement : statement.text)

const streamOf = ({ client }: Session) =>
  (client as unknown as { connection: { stream: Socket } }).connection.stream

let databases = 0

/** A node with the account alice. `before` sees each statement, and may send another. */
const start = async (t: Test) => {
  databases += 1
  const url = await createPostgres(`batch-${databases}`)
  await migrate(url)
  const client = await connect(url)
  t.teardown(() => client.end().catch(() => {}))
  const sent: string[] = []
  const query = client.query.bind(client) as (...given: unknown[]) => never
  const hooks = { before: (statement: Statement): Statement => statement }
  client.query = ((statement: Statement, values?: unknown[]) => {
    sent.push(textOf(statement))
    return query(hooks.before(statement), values)
  }) as never
  const types = await readColumnTypes(client)
  const head = { last: 0, user_id: 0, conversation_id: 0 }
  const session: Session = {
    client,
    types,
    node: 'n',
    caches: createCaches(),
    head,
    waited: { seconds: 0 },
    news: [],
  }
  let seq = 0
  const run = async (...batch: Operation[]) => runBatch(session, batch, (seq += 1))
  await run({ name: 'createUser', input: { username: 'alice', password_hash: null, family: 'f' } })
  sent.length = 0
  return {
    url,
    session,
    sent,
    hooks,
    run,
    contents: async () =>
      (await queryOnce(url, 'select content from messages order by id')).map((row) => row.content),
    /** Runs transactions until each operation has an outcome. */
    async runAll(...batch: Operation[]) {
      const outcomes: { ok: boolean }[] = []
      const sizes: number[] = []
      while (outcomes.length < batch.length) {
        const result = await run(...batch.slice(outcomes.length))
        outcomes.push(...result.outcomes)
        sizes.push(result.outcomes.length)
      }
      return { outcomes, sizes }
    },
  }
}

const send = (content: string, more: object = {}): Operation => ({
  name: 'send',
  input: { sender_id: 1, receiver_username: 'alice', content, ...more },
})
const nobody = send('x', { receiver_username: 'nobody' })
/** An operation whose row PostgreSQL refuses, for a reason that the operation does not check. */
const bad = send(null as never)

t.test(
  'an operation that PostgreSQL refuses is rejected alone, at any position in a batch',
  { skip },
  async (t) => {
    for (const place of [0, 1, 3, 6]) {
      const { runAll, contents } = await start(t)
      const batch = ['a', 'b', 'c', 'd', 'e', 'f'].map((content) => send(content))
      const { outcomes } = await runAll(...batch.toSpliced(place, 0, bad))
      t.strictSame(
        outcomes.map(({ ok }) => ok),
        Array.from({ length: 7 }, (_, index) => index !== place),
      )
      t.match(outcomes[place], { error: { name: 'StorageError', kind: 'operation' } })
      t.strictSame(await contents(), ['a', 'b', 'c', 'd', 'e', 'f'])
    }
  },
)

t.test('a transaction takes operations up to a weight, and at least one', { skip }, async (t) => {
  const { run, runAll } = await start(t)
  await run(send('short', { client_id: 'k' }))
  const long = 'x'.repeat(65_536)
  await run({ name: 'edit', input: { user_id: 1, message_id: 3, content: long } })
  const { sizes, outcomes } = await runAll(
    ...Array.from({ length: 150 }, () => send('short', { client_id: 'k' })),
  )
  t.ok(sizes.length > 1 && Math.max(...sizes) < 150, sizes.join(', '))
  t.ok(outcomes.every(({ ok }) => ok))
  t.strictSame((await runAll(send('y'.repeat(8_000_000)), send('z'))).sizes, [1, 1])
})

t.test('a batch of refused operations uses no number and notifies no other node', { skip }, async (t) => {
  const { run, sent, url, session } = await start(t)
  const { first, last, changes, outcomes } = await run(nobody, nobody)
  t.strictSame([first, last, changes], [2, 1, []])
  t.match(outcomes, [
    { ok: false, error: { code: 'USER_NOT_FOUND' } },
    { ok: false, error: { code: 'USER_NOT_FOUND' } },
  ])
  t.notMatch(sent.join('\n'), 'pg_notify')
  t.match(await queryOnce(url, 'select last from feed'), [{ last: 1 }], 'only the account of the start')
  t.equal(session.head.last, 1)
})

t.test('a batch whose rows are known takes two round trips', { skip }, async (t) => {
  const { run, hooks } = await start(t)
  await run(send('makes the conversation'))
  let trips = 0
  let isInTurn = false
  hooks.before = (statement) => {
    if (!isInTurn) {
      trips += 1
      isInTurn = true
      setImmediate(() => {
        isInTurn = false
      })
    }
    return statement
  }
  await run(send('one', { client_id: 'a' }), send('two'), nobody, send('three', { client_id: 'b' }))
  t.equal(trips, 2)
})

t.test('an operation that reads after its first write is rejected alone', { skip }, async (t) => {
  const { runAll, contents, url } = await start(t)
  readInProbe(t)
  const { outcomes } = await runAll(send('one'), { name: 'probe', input: {} }, send('two'))
  t.match(outcomes, [
    { ok: true },
    { ok: false, error: { kind: 'operation', message: 'An operation reads after its first write.' } },
    { ok: true },
  ])
  t.strictSame(await contents(), ['one', 'two'])
  await runAll({ name: 'probe', input: {} })
  const locks = await queryOnce(url, "select * from pg_locks where locktype = 'advisory'")
  t.strictSame(locks, [], 'and leaves no transaction open')
})

t.test('a commit that PostgreSQL answers with a rollback has failed', { skip }, async (t) => {
  const { run, hooks, contents, session } = await start(t)
  hooks.before = (statement) => (statement === 'commit' ? 'rollback' : statement)
  await t.rejects(run(send('lost')), { name: 'StorageError', kind: 'busy' } as object as Error)
  hooks.before = (statement) => statement
  t.equal(session.head.last, 1)
  await run(send('stored'))
  t.strictSame(await contents(), ['stored'])
})

t.test('a full database fails the whole batch and stores none of it', { skip }, async (t) => {
  const { run, hooks, contents } = await start(t)
  const full = `do $$ begin raise exception 'no space' using errcode = '53100'; end $$`
  hooks.before = (statement) => (textOf(statement).startsWith('insert into commits') ? full : statement)
  await t.rejects(run(send('one'), send('two')), { code: '53100' } as object as Error)
  hooks.before = (statement) => statement
  t.strictSame(await contents(), [])
})

t.test(
  'a batch is in doubt if its connection is lost before the answer to its commit',
  { skip },
  async (t) => {
    const { run, hooks, session, url, contents } = await start(t)
    const other = await connect(url)
    t.teardown(() => other.end())
    hooks.before = (statement) => {
      if (statement === 'commit') streamOf(session).destroy()
      return statement
    }
    const doubt = await run(send('never sent')).catch((error) => error)
    t.ok(doubt instanceof InDoubt, String(doubt))
    t.equal(await wasCommitted(other, 'n', doubt.seq), false)
    t.equal(await wasCommitted(other, 'n', 1), true, 'the account')
    t.strictSame(await contents(), [])
  },
)

t.test('a batch whose connection is lost before its commit is not in doubt', { skip }, async (t) => {
  const { run, hooks, session } = await start(t)
  hooks.before = (statement) => {
    if (statement === 'begin') streamOf(session).destroy()
    return statement
  }
  const error = await run(send('never sent')).catch((reason) => reason)
  t.ok(error instanceof Error && !(error instanceof InDoubt))
})
