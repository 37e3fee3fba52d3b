import t, { type Test } from 'tap'
import type { Me, User } from '../../schemas/account.ts'
import type { SentMessage } from '../../schemas/message.ts'
import { rotateSecret } from '../../src/chat/administration.ts'
import { removeAccount } from '../../src/chat/removal.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { operator } from '../support/operator.ts'
import { startPostgresProxy } from '../support/postgres-proxy.ts'
import { createApp } from '../support/server-key.ts'
import { startProcess } from '../support/process.ts'
import {
  call,
  login,
  type Person,
  person,
  type Server,
  startNodes,
  startServer,
  temporaryFolder,
} from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { databaseUrl, only } from '../support/test-database.ts'
import { seededRandom } from '../support/unreliable-proxy.ts'

const skip = only('postgres', 'several nodes share the database')

const ENV = { RATE_LIMIT_SEND: '0', RATE_LIMIT_CHANGES: '0' }

/** A user at another node, with the same token. */
const at = (t: Test, { url }: { url: string }, { session }: Person) => person(t, url, session)

const numberOf = (frame: object) => Number((frame as { cursor: string }).cursor.split('.')[1])

const eventsOf = ({ frames }: TestSocket) =>
  frames.filter((frame) => ['message', 'message_updated', 'receipt', 'conversation'].includes(frame.type))

t.test('users of two nodes talk', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, ENV)
  const [alice, bob] = [await a.login('alice'), await b.login('bob')]
  const [hers, his] = [await alice.connect(), await bob.connect()]

  t.test('events arrive live, with rising cursors', async (t) => {
    const first = await alice.send('bob', 'one')
    await his.wait('message', ({ content }) => content === 'one')
    await bob.send('alice', 'two')
    await hers.wait('message', ({ content }) => content === 'two')
    const { conversation_id } = first
    await bob.call('PUT', `/conversations/${conversation_id}/receipt`, { read_up_to: first.id })
    await hers.wait('receipt', ({ username }) => username === 'bob')
    await alice.call('PATCH', `/messages/${first.id}`, { content: 'edited' })
    await his.wait('message_updated', ({ content }) => content === 'edited')
    const group = await bob.createGroup('both', ['alice'])
    await hers.wait('conversation', ({ title }) => title === 'both')
    await bob.call('PATCH', `/groups/${group.id}`, { title: 'renamed' })
    await hers.wait('conversation', ({ title }) => title === 'renamed')
    for (const socket of [hers, his]) {
      const numbers = eventsOf(socket).map(numberOf)
      t.strictSame(
        numbers,
        numbers.toSorted((x, y) => x - y),
      )
    }
  })

  t.test('a token, a cursor and a client_id of one node are valid on the other', async (t) => {
    const there = at(t, b, alice)
    const cursor = eventsOf(hers).at(-1) as { cursor?: string }
    const sent = await alice.send('bob', 'under a key', { client_id: 'key' })
    const again = await there.send('bob', 'under a key', { client_id: 'key' })
    t.strictSame(again, sent)
    const resumed = await there.connect({ cursor: cursor.cursor })
    t.match(await resumed.wait('message'), { id: sent.id })
    t.equal((await there.history('bob')).at(-1)?.id, sent.id)
    await resumed.close()
  })

  t.test('a key that is sent to both nodes at once makes one message', async (t) => {
    const there = at(t, b, alice)
    for (let n = 0; n < 10; n += 1) {
      const more = { client_id: `twice ${n}` }
      const both = await Promise.all([alice.send('bob', 'twice', more), there.send('bob', 'twice', more)])
      t.strictSame(both[0], both[1])
    }
    const [{ count }] = (await a.rows(`select count(*) as count from messages where content = 'twice'`)) as [
      { count: number },
    ]
    t.equal(count, 10)
  })

  t.test('a block holds on both nodes, until it ends', async (t) => {
    const there = at(t, a, bob)
    await alice.call('PUT', '/blocks/bob')
    for (const user of [bob, there]) {
      t.match(await user.call('POST', '/send', { receiver_username: 'alice', content: 'x' }), {
        body: { code: 'BLOCKED' },
      })
    }
    await alice.call('DELETE', '/blocks/bob')
    for (const user of [bob, there]) await user.send('alice', 'again')
  })

  t.test('typing and presence reach the users of the other node', async (t) => {
    const { conversation_id } = await alice.send('bob', 'where are you?')
    his.send({ type: 'typing', conversation_id })
    await hers.wait('typing', ({ username }) => username === 'bob')
    await hers.request({ type: 'watch', usernames: ['bob'] })
    await hers.wait('presence', ({ online }) => online)
    const seen = hers.frames.length
    await his.close()
    t.match(await hers.wait('presence', ({ online }) => !online, seen), { username: 'bob' })
    const back = await bob.connect()
    await hers.wait('presence', ({ online }) => online, seen)
    await back.close()
  })

  t.test('a profile changes on either node, and both announce it', async (t) => {
    const there = at(t, b, alice)
    const [mine, theirs] = [await alice.connect(), await bob.connect()]
    const display_name = 'Alice'
    const avatar_url = 'https://a.example/'
    const metadata = { color: 'green' }
    await there.call('PATCH', '/users/me', { display_name: 'A', metadata })
    await alice.call('PATCH', '/users/me', { display_name })
    const { body } = await there.call<Me>('PATCH', '/users/me', { avatar_url })
    const profile = { display_name, avatar_url, metadata }
    t.strictSame(body.profile, profile, 'each node has the changes of the other')
    const isNew = (frame: { user: Me | User }) => frame.user.profile?.avatar_url === avatar_url
    for (const socket of [mine, theirs])
      t.strictSame((await socket.wait('user', isNew)).user.profile, profile)
    const found = await bob.call<{ users: User[] }>('GET', '/users?prefix=alice')
    t.strictSame(found.body.users, [{ id: alice.id, username: 'alice', profile }])
    await Promise.all([mine.close(), theirs.close()])
  })

  t.test('a removed account is refused on the other node', async (t) => {
    const there = at(t, b, alice)
    const socket = await there.connect()
    await removeAccount(a.app.chat, alice.id)
    t.match(await socket.closed, { code: 4401 })
    t.equal((await there.call('GET', '/conversations')).status, 401)
    t.match(await bob.call('POST', '/send', { receiver_username: 'alice', content: 'x' }), { status: 404 })
  })
})

t.test('a logout closes the sockets on other nodes, even if notifications are lost', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  // The node listens on another channel, so it receives no notification.
  const proxy = await startPostgresProxy(t, databaseUrl(folder), (chunk) =>
    chunk.includes('listen messenger_commits')
      ? Buffer.from(
          chunk.toString('latin1').replace('listen messenger_commits', 'listen messenger_nothing'),
          'latin1',
        )
      : chunk,
  )
  const a = await startServer(t, ENV, folder)
  const deaf = await startServer(t, { ...ENV, DATABASE_URL: proxy.url }, folder)
  for (const everywhere of [false, true]) {
    const alice = await a.login('alice')
    const there = at(t, deaf, alice)
    const socket = await there.connect()
    t.equal((await there.call('GET', '/conversations')).status, 200)
    const started = performance.now()
    t.equal((await alice.call('POST', '/logout', { everywhere })).status, 204)
    t.match(await socket.closed, { code: 4401 })
    t.equal((await there.call('GET', '/conversations')).status, 401)
    t.ok(performance.now() - started < 1000, 'within a second')
  }
})

t.test('a user of a killed node goes offline on the others', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const env = { NODE_TIMEOUT_MS: '1500', JWT_SECRET: 'one secret for all the nodes of this test', ...ENV }
  const a = await startServer(t, env, folder)
  const other = await startProcess(t, folder, { ...env, LOG_LEVEL: 'info' })
  const alice = await a.login('alice')
  const bob = await login(t, other.url, 'bob')
  await alice.send('bob', 'hello')
  await bob.connect()
  const socket = await alice.connect()
  await socket.request({ type: 'watch', usernames: ['bob'] })
  await socket.wait('presence', ({ online }) => online)
  other.child.kill('SIGKILL')
  await socket.wait('presence', ({ online }) => !online, socket.frames.length)
  t.pass('bob is offline')
  // A node that starts now reads from the rows who is online at the other nodes.
  const late = await startServer(t, env, folder)
  const carol = await late.login('carol')
  await carol.send('alice', 'hello')
  const hers = await carol.connect()
  await hers.request({ type: 'watch', usernames: ['alice'] })
  t.match(await hers.wait('presence', ({ online }) => online), { username: 'alice' })
})

t.test('a new secret is used by every node', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, ENV)
  const before = await b.login('alice')
  for (const isUrgent of [false, true]) {
    const secret = a.app.secrets.current
    await rotateSecret(a.app.chat, a.app.secrets, isUrgent)
    t.not(a.app.secrets.current, secret)
    // It is signed with the new secret, which the other node may not have read yet.
    const fresh = await a.login('alice')
    t.equal((await at(t, b, fresh).call('GET', '/conversations')).status, 200)
    t.equal(b.app.secrets.current, a.app.secrets.current)
    const old = await at(t, b, before).call('GET', '/conversations')
    t.equal(old.status, isUrgent ? 401 : 200)
  }
  // A node that can't read the secrets tries again.
  const { secrets } = b.app
  const { reload } = secrets
  secrets.reload = () => {
    secrets.reload = reload
    return Promise.reject(new Error('The database does not answer.'))
  }
  await rotateSecret(a.app.chat, a.app.secrets, false)
  while (secrets.current !== a.app.secrets.current) await new Promise((resolve) => setTimeout(resolve, 10))
  // Invalid tokens make a node read the secrets at most once a second.
  let reads = 0
  secrets.reload = () => {
    reads += 1
    return reload()
  }
  for (let n = 0; n < 5; n += 1) {
    t.equal((await call(b.url, 'GET', '/conversations', { token: 'none' })).status, 401)
  }
  t.ok(reads <= 2, `${reads}`)
})

t.test('a server key and its end are known to every node', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, ENV)
  const alice = await a.login('alice')
  const { key } = await createApp(a)
  const onBehalf = { 'on-behalf-of': 'alice' }
  const asApp = ({ url }: { url: string }, path: string, headers = onBehalf) =>
    call<SyncPage>(url, 'GET', path, { token: key, headers })
  for (const node of [a, b]) t.equal((await asApp(node, '/users/me')).status, 200)
  const { body } = await asApp(b, '/sync')
  const waiting = asApp(b, `/sync?wait=30&cursor=${body.cursor}`)
  await operator(a.folder).change('revoke-key', { name: 'app' })
  t.match(await waiting, { status: 401 })
  for (const node of [a, b]) t.equal((await asApp(node, '/users/me')).status, 401)
  t.equal((await at(t, b, alice).call('GET', '/users/me')).status, 200)
})

t.test(
  'a suspension closes the sockets of other nodes and holds there, until it is lifted',
  { skip },
  async (t) => {
    const [a, b] = await startNodes(t, 2, ENV)
    const [alice, bob] = [await a.login('alice'), await b.login('bob')]
    const { call: asApp } = await createApp(a)
    await bob.send('alice', 'before')
    const socket = await bob.connect()
    await asApp('PUT', '/users/bob/suspension', { reason: 'Spam' })
    t.match(await socket.closed, { code: 4403 })
    const sendAs = (user: Person) => user.call('POST', '/send', { receiver_username: 'alice', content: 'x' })
    const refused = { status: 403, body: { code: 'ACCOUNT_SUSPENDED' } }
    for (const node of [b, a]) t.match(await sendAs(at(t, node, bob)), refused)
    // The operation refuses too, with what its node has cached of the account.
    for (const { app } of [b, a]) {
      await t.rejects(
        app.chat.writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content: 'x' }),
        { code: 'ACCOUNT_SUSPENDED' },
      )
    }
    await asApp('DELETE', '/users/bob/suspension')
    await alice.send('bob', 'welcome back')
    for (const node of [b, a]) {
      // The notice of the end may not have come yet.
      while ((await sendAs(at(t, node, bob))).status === 403)
        await new Promise((resolve) => setTimeout(resolve, 10))
    }
    t.match(await bob.call('GET', '/users/me'), { status: 200 })
  },
)

t.test('a key that is sent to two nodes at once makes one group', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, ENV)
  const alice = await a.login('alice')
  const { key } = await createApp(a)
  const putAt = ({ url }: { url: string }, name: string) =>
    call<{ id: number }>(url, 'PUT', `/groups/by-key/${name}`, {
      token: key,
      body: { title: name, members: ['alice'] },
    })
  for (let n = 0; n < 10; n += 1) {
    const both = await Promise.all([putAt(a, `order-${n}`), putAt(b, `order-${n}`)])
    t.strictSame(both[0].body, both[1].body)
  }
  t.equal((await alice.conversations()).length, 10)
  // Each node knows the present state of a group that another node changed.
  const { id } = (await putAt(a, 'order-0')).body
  const change = (node: Server, metadata: object) =>
    call(node.url, 'PATCH', `/groups/${id}`, { token: key, body: { metadata } })
  for (const [n, node] of [a, b, a, b].entries())
    t.match(await change(node, { n }), { status: 200, body: { title: 'order-0', metadata: { n } } })
})

t.test('the limit of logins counts the calls on all nodes', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, { ...ENV, RATE_LIMIT_LOGIN: '6' })
  for (const node of [a, b, a, b, a, b]) await node.login('alice')
  for (const node of [a, b]) {
    const reply = await call(node.url, 'POST', '/login', { body: { username: 'alice' } })
    t.match(reply, { status: 429, body: { code: 'RATE_LIMITED' } })
    t.ok(Number(reply.headers.get('retry-after')) <= 10)
  }
})

t.test('after random operations on three nodes every device has the same stream', { skip }, async (t) => {
  const nodes = await startNodes(t, 3, ENV)
  const names = ['alice', 'bob', 'carol', 'dora']
  const users = new Map<string, Person[]>()
  const devices = new Map<string, TestSocket[]>()
  for (const [n, name] of names.entries()) {
    const first = await (nodes[n % 3] as Server).login(name)
    const everywhere = nodes.map((node) => at(t, node, first))
    users.set(name, everywhere)
    devices.set(name, await Promise.all(everywhere.map((user) => user.connect())))
  }
  const seed = Number(process.env.NODES_SEED ?? 1)
  const random = seededRandom(seed)
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const messages: SentMessage[] = []
  const groups: number[] = []
  const steps: (() => Promise<unknown>)[] = [
    async () => {
      const reply = await any().call<SentMessage>('POST', '/send', {
        receiver_username: pick(names),
        content: 'hello',
        client_id: `key ${Math.floor(random() * 40)}`,
      })
      if (reply.status === 200) messages.push(reply.body)
    },
    async () => {
      const id = pick(groups)
      const reply = await any().call<SentMessage>('POST', '/send', {
        conversation_id: id ?? 1,
        content: 'all',
      })
      if (reply.status === 200) messages.push(reply.body)
    },
    async () => {
      const members = [pick(names), pick(names)]
      const reply = await any().call<{ id: number }>('POST', '/groups', { title: 'group', members })
      if (reply.status === 200) groups.push(reply.body.id)
    },
    () => any().call('PUT', `/groups/${pick(groups) ?? 1}/members/${pick(names)}`),
    () => any().call('DELETE', `/groups/${pick(groups) ?? 1}/members/${pick(names)}`),
    () => any().call('PATCH', `/messages/${pick(messages)?.id ?? 1}`, { content: 'edited' }),
    () => any().call('DELETE', `/messages/${pick(messages)?.id ?? 1}`),
    () => {
      const message = pick(messages)
      return any().call('PUT', `/conversations/${message?.conversation_id ?? 1}/receipt`, {
        read_up_to: message?.id ?? 1,
      })
    },
    () => any().call(pick(['PUT', 'DELETE']), `/blocks/${pick(names)}`),
  ]
  const any = () => pick(users.get(pick(names)) as Person[])
  for (let round = 0; round < 40; round += 1) {
    await Promise.all(Array.from({ length: 8 }, () => pick(steps)()))
  }
  const streams: object[] = []
  for (const name of names) {
    const [first] = users.get(name) as [Person]
    const { id } = await first.send(name, 'the end')
    const sockets = devices.get(name) as TestSocket[]
    for (const socket of sockets) await socket.wait('message', (frame) => frame.id === id)
    // Marks are published up to a second later. All devices must have everything up to here.
    const events = sockets.map((socket) => eventsOf(socket).filter((frame) => numberOf(frame) <= id))
    for (const stream of events) t.strictSame(stream, events[0], `seed ${seed}`)
    const numbers = (events[0] as object[]).map(numberOf)
    t.strictSame(
      numbers,
      [...new Set(numbers)].toSorted((x, y) => x - y),
      'rising',
    )
    streams.push(...(events[0] as object[]))
  }
  t.ok(streams.length > 100, `${streams.length} events`)
})
