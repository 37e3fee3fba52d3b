import { setTimeout as pause } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { SentMessage } from '../../schemas/message.ts'
import { query, startPostgres } from '../support/postgres.ts'
import { startPostgresProxy } from '../support/postgres-proxy.ts'
import { startProcess } from '../support/process.ts'
import { login, type Person, person, startServer, temporaryFolder } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { databaseUrl, only } from '../support/test-database.ts'

const skip = only('postgres', 'it is about faults of PostgreSQL and of nodes that share it')

const ENV = { RATE_LIMIT_SEND: '0', LOG_LEVEL: 'info' }

const contentsOf = ({ frames }: TestSocket) =>
  frames.flatMap((frame) => (frame.type === 'message' ? [frame.content] : []))

/** Repeats a send under one key until it succeeds. @returns the message, and the refusals before it */
const sendUntilAnswered = async (user: Person, to: string, content: string) => {
  const body = { receiver_username: to, content, client_id: content }
  const refusals: { status: number; retryAfter: string | null }[] = []
  for (;;) {
    const reply = await user.call<SentMessage>('POST', '/send', body)
    if (reply.status === 200) return { message: reply.body, refusals }
    refusals.push({ status: reply.status, retryAfter: reply.headers.get('retry-after') })
    await pause(50)
  }
}

/** Starts a node as a process, behind a proxy that sends a signal to the node when it takes the lock of a batch. */
const startStoppable = async (t: Test, folder: string) => {
  let signal: { name: NodeJS.Signals; done: () => void } | undefined
  const proxy = await startPostgresProxy(t, databaseUrl(folder), (chunk) => {
    if (signal && chunk.includes('pg_advisory_xact_lock')) {
      node.child.kill(signal.name)
      signal.done()
      signal = undefined
    }
    return chunk
  })
  const node = await startProcess(t, folder, { ...ENV, DATABASE_URL: proxy.url })
  return {
    node,
    /** Sends the signal at the next lock. @returns a promise that resolves then */
    atNextLock: (name: NodeJS.Signals) =>
      new Promise<void>((done) => {
        signal = { name, done }
      }),
  }
}

t.test('the other nodes continue when a node stops or dies while it holds the lock', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const { node, atNextLock } = await startStoppable(t, folder)
  const other = await startServer(t, ENV, folder)
  const alice = await login(t, node.url, 'alice')
  const bob = await other.login('bob')
  const socket = await bob.connect()
  await bob.send('alice', 'before')

  const isStopped = atNextLock('SIGSTOP')
  const held = alice.send('bob', 'from the stopped node')
  await isStopped
  await bob.send('alice', 'meanwhile')
  node.child.kill('SIGCONT')
  // This send has no key. Its connection was lost before the commit, so the node runs it again.
  await held
  await socket.wait('message', ({ content }) => content === 'from the stopped node')
  t.strictSame(contentsOf(socket), ['before', 'meanwhile', 'from the stopped node'])

  const isKilled = atNextLock('SIGKILL')
  const lost = alice.call('POST', '/send', { receiver_username: 'bob', content: 'last', client_id: 'last' })
  await isKilled
  await t.rejects(lost)
  await bob.send('alice', 'still here')
  const { message } = await sendUntilAnswered(person(t, other.url, alice.session), 'bob', 'last')
  await socket.wait('message', ({ id }) => id === message.id)
  t.strictSame(contentsOf(socket).slice(3), ['still here', 'last'])
})

t.test('a send is answered although its node loses the answer of the database', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const proxy = await startPostgresProxy(t, databaseUrl(folder))
  const a = await startServer(t, { ...ENV, LOG_LEVEL: 'silent', DATABASE_URL: proxy.url }, folder)
  const b = await startServer(t, { ...ENV, LOG_LEVEL: 'silent' }, folder)
  const [alice, bob] = [await a.login('alice'), await b.login('bob')]
  const [hers, his] = [await alice.connect(), await bob.connect()]
  await alice.send('bob', 'before')
  const sent = ['before']
  for (const at of ['after', 'before', 'after'] as const) {
    const isCut = proxy.cutNextCommit(at)
    const reply = hers.request({ type: 'send', receiver_username: 'bob', content: `cut ${sent.length}` })
    await isCut
    t.match(await reply, { type: 'ack' })
    sent.push(`cut ${sent.length}`)
  }
  await alice.send('bob', 'the end')
  await his.wait('message', ({ content }) => content === 'the end')
  t.strictSame(contentsOf(his), [...sent, 'the end'])
})

t.test('devices miss nothing while the table feed stays empty', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const env = { ...ENV, LOG_LEVEL: 'silent' }
  const [a, b] = [await startServer(t, env, folder), await startServer(t, env, folder)]
  const [alice, bob] = [await a.login('alice'), await b.login('bob')]
  const socket = await bob.connect()
  await alice.send('bob', 'before')
  await query(
    databaseUrl(folder),
    `create function forget() returns trigger language plpgsql as $$ begin return null; end $$;
     create trigger forget before insert on feed for each row execute function forget()`,
  )
  const contents = ['before']
  for (let n = 0; n < 10; n += 1) {
    await alice.send('bob', `unseen ${n}`)
    contents.push(`unseen ${n}`)
  }
  await socket.wait('message', ({ content }) => content === 'unseen 9')
  t.strictSame(contentsOf(socket), contents)
  // A lost batch may have ended any token.
  await person(t, a.url, bob.session).call('POST', '/logout', { everywhere: false })
  t.match(await socket.closed, { code: 4401 })
})

t.test('devices miss nothing when all connections to the database are cut', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const env = { ...ENV, LOG_LEVEL: 'silent' }
  const [a, b] = [await startServer(t, env, folder), await startServer(t, env, folder)]
  const [alice, bob] = [await a.login('alice'), await b.login('bob')]
  const socket = await bob.connect()
  const contents: string[] = []
  for (let n = 0; n < 5; n += 1) {
    const cut = query(
      databaseUrl(folder),
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    await sendUntilAnswered(alice, 'bob', `${n}`)
    await cut
    contents.push(`${n}`)
  }
  await socket.wait('message', ({ content }) => content === '4')
  t.strictSame(contentsOf(socket), contents)
})

t.test(
  'each answered message is stored and delivered once when the database restarts under load',
  { skip },
  async (t) => {
    const server = await startPostgres()
    t.teardown(() => server.end())
    const env = { ...ENV, LOG_LEVEL: 'silent', DATABASE_URL: server.url('postgres') }
    const [a, b] = [await startServer(t, env, 'none'), await startServer(t, env, 'none')]
    const [alice, bob] = [await a.login('alice'), await b.login('bob')]
    const sockets = [await bob.connect(), await person(t, a.url, bob.session).connect()]
    const users = [alice, person(t, b.url, alice.session)]
    const answered: SentMessage[] = []
    const refused: { status: number; retryAfter: string | null }[] = []
    const over = new AbortController()
    const load = users.map(async (user, node) => {
      for (let n = 0; !over.signal.aborted; n += 1) {
        const { message, refusals } = await sendUntilAnswered(user, 'bob', `${node}:${n}`)
        answered.push(message)
        refused.push(...refusals)
      }
    })
    const untilAnswered = async (more: number) => {
      const count = answered.length
      while (answered.length < count + more) await pause(10)
    }
    await untilAnswered(20)
    for (const how of ['immediate', 'fast'] as const) {
      await server.stop(how)
      const reply = await alice.call('POST', '/send', { receiver_username: 'bob', content: 'x'.repeat(5000) })
      t.equal(reply.status, 400, 'a request that needs no database is answered')
      t.equal((await a.call('GET', '/health/ready')).status, 503)
      t.equal((await a.call('POST', '/login', { body: { username: 'alice' } })).status, 503)
      await server.start()
      await untilAnswered(20)
    }
    over.abort()
    await Promise.all(load)
    t.ok(refused.length > 0)
    for (const { status, retryAfter } of refused) t.match([status, Number(retryAfter) > 0], [503, true])
    const stored = await query(server.url('postgres'), 'select id, content from messages order by id')
    t.strictSame(
      stored.map(({ id }) => id),
      answered.map(({ id }) => id).toSorted((x, y) => x - y),
      'each answered message is stored once',
    )
    for (const socket of sockets) {
      await socket.wait('message', ({ id }) => id === stored.at(-1)?.id)
      t.strictSame(
        contentsOf(socket),
        stored.map(({ content }) => content),
      )
    }
  },
)
