import pg from 'pg'
import t, { type Test } from 'tap'
import { startSweep, sweep } from '../../db/dialects/postgres/sweep.ts'
import { openDatabase } from '../../db/open.ts'
import type { Batch } from '../../db/writer.ts'
import { query } from '../support/postgres.ts'
import { startPostgresProxy } from '../support/postgres-proxy.ts'
import { temporaryFolder } from '../support/server.ts'
import { databaseUrl, only } from '../support/test-database.ts'

type Opened = Awaited<ReturnType<typeof openDatabase>>
type Node = Opened & { batches: Batch[] }

/** Opens databases of several nodes on one PostgreSQL, and records the commits that each publishes. */
const openNodes = async (t: Test, urls: (url: string) => Promise<string[]>) => {
  const url = databaseUrl(await temporaryFolder(t))
  const nodes: Node[] = []
  for (const each of await urls(url)) {
    const node = await openDatabase(each, { maxQueue: 1000, report: (error) => t.fail(String(error)) })
    t.teardown(() => node.close())
    const batches: Batch[] = []
    node.writer.on('commit', (batch) => batches.push(batch))
    nodes.push({ ...node, batches })
  }
  return { url, nodes }
}

const two = async (url: string) => [url, url]

const createUser = async ({ writer }: Opened, username: string, family = 'f') =>
  (await writer.append('createUser', { username, password_hash: null, family })).user.id

/** Resolves when a node has published the number `last`. */
const published = async ({ writer, batches }: Node, last: number) => {
  if ((batches.at(-1)?.last ?? 0) >= last) return
  await new Promise<void>((resolve) =>
    writer.on('commit', (batch) => {
      if (batch.last >= last) resolve()
    }),
  )
}

/** The batches without the member that only the node of an operation has. */
const shared = (batches: Batch[]) =>
  batches.flatMap(({ changes }) =>
    changes.map(({ number, audience, event }) => ({ number, audience, event })),
  )

/** Fails unless the batches follow one another without a gap and without a repetition. */
const checkOrder = (t: Test, batches: Batch[]) => {
  let last = (batches[0] as Batch).first - 1
  for (const batch of batches) {
    t.equal(batch.first, last + 1, 'no gap and no repetition')
    last = batch.last
  }
}

const skip = only('postgres', 'several nodes share the database')

t.test('an operation sees what another node changed', { skip }, async (t) => {
  const { nodes } = await openNodes(t, two)
  const [a, b] = nodes as [Node, Node]
  const [alice, bob, eve] = [
    await createUser(a, 'alice'),
    await createUser(b, 'bob'),
    await createUser(a, 'eve'),
  ]
  const code = (code: string) => ({ code }) as object as Error
  const toBob = (node: Opened) =>
    node.writer.append('send', { sender_id: alice, receiver_username: 'bob', content: 'hello' })
  await toBob(a)
  await toBob(b)

  const block = { user_id: alice, username: 'bob' }
  await a.writer.append('block', block)
  await t.rejects(toBob(b), code('BLOCKED'))
  await a.writer.append('unblock', block)
  await toBob(b)

  const { id } = await a.writer.append('createGroup', { user_id: alice, title: 'g', members: ['bob'] })
  const toGroup = (node: Opened, sender_id: number) =>
    node.writer.append('send', { sender_id, conversation_id: id, content: 'hello' })
  await toGroup(b, bob)
  await a.writer.append('removeMember', {
    user_id: alice,
    conversation_id: id,
    username: 'bob',
    max_group: 32,
  })
  await t.rejects(toGroup(b, bob), code('FORBIDDEN'))
  await a.writer.append('addMember', {
    user_id: alice,
    conversation_id: id,
    username: 'bob',
    max_members: 9,
  })
  await toGroup(b, bob)

  const password = {
    user_id: alice,
    checked_hash: null,
    password_hash: 'h',
    family: 'g',
    kept_token: 'f.kept',
  }
  await a.writer.append('setPassword', password)
  await t.rejects(
    b.writer.append('setPassword', { ...password, kept_token: 'f.kept' }),
    code('INVALID_CREDENTIALS'),
  )
  await b.writer.append('resetPassword', { user_id: bob, password_hash: 'h', family: 'g' })
  await a.writer.append('revokeEverybody', { era: 'k' })
  for (const node of [b, a]) {
    await t.rejects(
      node.writer.append('setPassword', {
        ...password,
        user_id: bob,
        checked_hash: 'h',
        kept_token: 'g.kept',
      }),
      code('UNAUTHORIZED'),
    )
  }
  await b.writer.append('send', { sender_id: eve, receiver_username: 'alice', content: 'hello' })
  await a.writer.append('removeUser', { user_id: eve, family: 'x' })
  const asEve = b.writer.append('send', { sender_id: eve, receiver_username: 'alice', content: 'hello' })
  await t.rejects(asEve, code('UNAUTHORIZED'))
})

t.test(
  'every node publishes every commit once, in order, even if its own operations fail',
  { skip },
  async (t) => {
    const { nodes } = await openNodes(t, async (url) => [url, url, url])
    const alice = await createUser(nodes[0] as Node, 'alice')
    const note = (content: string) => ({ sender_id: alice, receiver_username: 'alice', content })
    const [first, ...others] = nodes as [Node, ...Node[]]
    const sends: Promise<unknown>[] = []
    for (let round = 0; round < 20; round += 1) {
      for (const { writer } of nodes) sends.push(writer.append('send', note(`note ${round}`)))
      // PostgreSQL refuses U+0000, so the transaction that reads the commits of the other nodes fails.
      const refused = t.rejects(first.writer.append('send', note('\0')), {
        kind: 'operation',
      } as object as Error)
      await Promise.all([...sends.splice(0), refused])
    }
    const { last } = first.batches.at(-1) as Batch
    const end = Math.max(last, ...others.map(({ batches }) => (batches.at(-1) as Batch).last))
    for (const node of nodes) {
      await published(node, end)
      checkOrder(t, node.batches)
      t.strictSame(shared(node.batches), shared(first.batches))
    }
    t.equal(shared(first.batches).length, 62)
  },
)

t.test('a commit whose answer is lost is stored once and answered as committed', { skip }, async (t) => {
  let proxy!: Awaited<ReturnType<typeof startPostgresProxy>>
  const { url, nodes } = await openNodes(t, async (url) => {
    proxy = await startPostgresProxy(t, url)
    return [proxy.url, url]
  })
  const [a, b] = nodes as [Node, Node]
  const alice = await createUser(a, 'alice')
  await createUser(b, 'bob')
  const send = (node: Opened, content: string) =>
    node.writer.append('send', { sender_id: alice, receiver_username: 'bob', content })
  for (const at of ['after', 'before'] as const) {
    const isCut = proxy.cutNextCommit(at)
    const doubtful = send(a, `cut ${at}`)
    await isCut
    const { message } = await doubtful
    // It belongs to the conversation of the send whose answer was lost.
    const next = await send(a, `next ${at}`)
    t.equal(next.message.conversation_id, message.conversation_id)
    t.equal(next.message.id, message.id + 1)
  }
  const { message } = await send(b, 'the last')
  for (const node of nodes) {
    await published(node, message.id)
    checkOrder(t, node.batches)
  }
  t.strictSame(shared(a.batches), shared(b.batches))
  t.strictSame(
    (await query(url, 'select content from messages order by id')).map(({ content }) => content),
    ['cut after', 'next after', 'cut before', 'next before', 'the last'],
  )
})

t.test('a node that missed commits publishes a gap and clears its caches', { skip }, async (t) => {
  const { url, nodes } = await openNodes(t, two)
  const [a, b] = nodes as [Node, Node]
  const alice = await createUser(a, 'alice')
  await createUser(a, 'bob')
  const send = (node: Opened) =>
    node.writer.append('send', { sender_id: alice, receiver_username: 'bob', content: 'hello' })
  await send(a)
  const { message } = await send(b)
  await published(a, message.id)
  // The block has a number but no row in `feed`, so b finds only a gap.
  await query(
    url,
    'create function forget() returns trigger language plpgsql as $$ begin return null; end $$',
  )
  await query(url, 'create trigger forget before insert on feed for each row execute function forget()')
  await a.writer.append('block', { user_id: alice, username: 'bob' })
  await t.rejects(send(b), { code: 'BLOCKED' } as object as Error)
  await published(b, message.id + 1)
  t.strictSame(b.batches.at(-1), { first: message.id + 2, last: message.id + 1, changes: [] })
})

t.test(
  'a sweep deletes the rows that no node needs any more, and keeps the counters',
  { skip },
  async (t) => {
    const { url, nodes } = await openNodes(t, two)
    const [a, b] = nodes as [Node, Node]
    const alice = await createUser(a, 'alice')
    const send = (node: Opened) =>
      node.writer.append('send', { sender_id: alice, receiver_username: 'alice', content: 'hello' })
    for (const node of [a, b, a, b]) await send(node)
    await a.cluster?.take('somebody', 60_000)
    const pool = new pg.Pool({ connectionString: url })
    t.teardown(() => pool.end())
    const counts = () =>
      query(
        url,
        'select (select count(*) from feed) as feed, (select count(*) from commits) as commits, (select count(*) from call_limits) as calls',
      )
    await sweep(pool)
    t.match(await counts(), [{ feed: 5, commits: 5 }], 'rows of the last minutes are kept')
    // The rows must be older than the present millisecond.
    await new Promise((resolve) => setTimeout(resolve, 20))
    await sweep(pool, 0)
    t.strictSame(await counts(), [{ feed: 0, commits: 1, calls: 0 }])
    t.equal((await send(b)).message.id, 7)
    t.equal((await createUser(a, 'bob')) > alice, true)

    await a.cluster?.take('somebody', 60_000)
    const endSweep = startSweep(pool, 10)
    while ((await counts())[0]?.calls !== 0) await new Promise((resolve) => setTimeout(resolve, 10))
    await endSweep()
  },
)
