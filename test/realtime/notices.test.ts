import t from 'tap'
import * as users from '../../db/queries/users.ts'
import type { Session } from '../../schemas/account.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { revokeTokens } from '../../src/chat/administration.ts'
import { removeAccount } from '../../src/chat/removal.ts'
import { createGate, holdRead } from '../support/reads.ts'
import { type Person, type Server, startServer } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { eventsAfter, headOf, holdReplays, loseNextBatch, nextWait } from '../support/stream.ts'

const contentsOf = ({ frames }: TestSocket) =>
  frames.flatMap((frame) => (frame.type === 'message' ? [frame.content] : []))

/** As `holdRead`, for the next read of the head. */
const holdHead = ({ app }: Server) => {
  const { cursors } = app.chat
  const { head } = cursors
  const gate = createGate()
  cursors.head = () => {
    cursors.head = head
    return gate.hold(head())
  }
  return gate
}

t.test('clients do not see the numbers of notices', async (t) => {
  const server = await startServer(t)
  const [alice, bob, carol] = [
    await server.login('alice'),
    await server.login('bob'),
    await server.login('carol'),
  ]
  await alice.send('bob', 'first')
  const cursor = await headOf(bob)
  const socket = await bob.connect({ cursor })
  const other = await server.login('bob')
  const notices = async () => {
    await alice.call('PUT', '/blocks/carol')
    await alice.call('DELETE', '/blocks/carol')
    await (await server.login('bob')).call('POST', '/logout')
  }

  let waits = 0
  const { hub } = server.app.sockets
  const isWaiting = nextWait(server)
  const { waitFor } = hub
  hub.waitFor = (me) => {
    waits += 1
    return waitFor(me)
  }
  const polled = other.call<SyncPage>('GET', `/sync?wait=30&cursor=${cursor}`)
  await isWaiting
  await notices()
  t.strictSame(await eventsAfter(bob, cursor), [])
  const moved = await headOf(bob)
  t.not(moved, cursor)
  await alice.send('bob', 'second')
  t.match((await polled).body.events, [{ type: 'message', content: 'second' }])
  // The long poll before and after the message, `eventsAfter` and `headOf`.
  t.equal(waits, 4, 'no notice wakes a long poll')
  await notices()
  await carol.send('bob', 'third')

  await socket.wait('message', ({ content }) => content === 'third')
  t.strictSame(contentsOf(socket), ['second', 'third'])
  t.strictSame(
    socket.frames.map(({ type }) => type),
    ['hello', 'caught_up', 'message', 'conversation', 'message'],
  )
  for (const from of [cursor, moved]) {
    const again = await bob.connect({ cursor: from })
    await again.wait('caught_up')
    t.strictSame(contentsOf(again), ['second', 'third'], 'a resume crosses the numbers')
    t.strictSame(await eventsAfter(bob, from), socket.frames.slice(2))
  }
  t.match(await bob.history('alice'), [{ content: 'first' }, { content: 'second' }])
})

t.test(
  'a lost notice ends the token with the next batch, at sockets, long polls and over HTTP',
  async (t) => {
    const server = await startServer(t)
    const { app, login } = server
    const [alice, bob] = [await login('alice'), await login('bob')]
    await bob.send('alice', 'hello')
    const again = await login('alice')
    const cursor = await headOf(alice)
    const [live, plain, kept] = [
      await alice.connect(),
      await alice.connect({ plain: true }),
      await again.connect(),
    ]
    const gate = holdReplays(server)
    const replaying = await alice.connect({ cursor: cursor.replace(/\d+$/, '0') })
    await gate.reached
    const isWaiting = nextWait(server)
    const polled = alice.call('GET', `/sync?wait=30&cursor=${cursor}`)
    await isWaiting
    const keepsWaiting = nextWait(server)
    const keptPoll = again.call<SyncPage>('GET', `/sync?wait=30&cursor=${cursor}`)
    await keepsWaiting

    loseNextBatch(server)
    const { jti } = JSON.parse(Buffer.from(alice.token.split('.')[1] as string, 'base64url').toString())
    await Promise.all([
      app.chat.writer.append('revokeToken', { user_id: alice.id, jti, expires_at: Date.now() + 60_000 }),
      app.chat.writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content: 'lost' }),
    ])
    await bob.send('alice', 'seen')
    for (const { closed } of [live, plain, replaying]) t.equal((await closed).code, 4401)
    gate.open()
    t.match(await polled, { status: 401, body: { code: 'UNAUTHORIZED' } })
    t.equal((await alice.call('GET', '/users/me')).status, 401)
    t.strictSame(contentsOf(live), [], 'the socket receives nothing of what followed')

    await kept.wait('message', ({ content }) => content === 'seen')
    t.strictSame(contentsOf(kept), ['lost', 'seen'])
    t.match((await keptPoll).body.events, [{ content: 'lost' }, { content: 'seen' }])
    t.match(await kept.settle(), { type: 'pong' }, 'a socket with a valid token stays open')
  },
)

t.test('a lost removal of an account and a lost block take effect with the next batch', async (t) => {
  const server = await startServer(t)
  const { app, login } = server
  const [alice, bob, carol] = [await login('alice'), await login('bob'), await login('carol')]
  await alice.send('bob', 'hello')
  const [watching, removed] = [await alice.connect(), await carol.connect()]
  await bob.connect()
  await watching.request({ type: 'watch', usernames: ['bob'] })
  loseNextBatch(server)
  await Promise.all([
    app.chat.writer.append('block', { user_id: bob.id, username: 'alice' }),
    removeAccount(app.chat, carol.id),
  ])
  await alice.send('alice', 'a note')
  t.equal((await removed.closed).code, 4401)
  await watching.wait('presence', ({ username, online }) => username === 'bob' && !online)
})

t.test('a socket whose token cannot be read after a lost batch is closed', async (t) => {
  const server = await startServer(t)
  const { app, login } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const socket = await alice.connect()
  const { reader } = app.chat
  const { get } = reader
  reader.get = (query, args) =>
    (query as object) === users.tokenHolder
      ? Promise.reject(new Error('a disk that fails'))
      : get(query, args)
  loseNextBatch(server)
  await revokeTokens(app.chat, bob.id)
  await app.chat.writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content: 'hello' })
  t.equal((await socket.closed).code, 1011)
})

t.test('an event and the end of the token in one batch end a long poll with 401', async (t) => {
  const server = await startServer(t)
  const { app, login } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const cursor = await headOf(alice)
  const isWaiting = nextWait(server)
  const polled = alice.call('GET', `/sync?wait=30&cursor=${cursor}`)
  await isWaiting
  await Promise.all([
    app.chat.writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content: 'hello' }),
    revokeTokens(app.chat, alice.id),
  ])
  t.match(await polled, { status: 401, body: { code: 'UNAUTHORIZED' } })
})

t.test('a token that ends during a handshake or before a long poll waits is refused', async (t) => {
  const server = await startServer(t)
  const { login } = server
  const alice = await login('alice')
  const cursor = await headOf(alice)
  const whileHeld = async <T>(what: (person: Person) => Promise<T>) => {
    const person = await login('alice')
    await person.call('GET', '/users/me')
    const held = holdHead(server)
    const result = what(person)
    await held.reached
    t.equal((await person.call('POST', '/logout')).status, 204)
    held.release()
    return result
  }
  const socket = await whileHeld((person) => person.connect({ cursor }))
  t.equal((await socket.closed).code, 4401)
  const polled = await whileHeld((person) => person.call('GET', `/sync?wait=30&cursor=${cursor}`))
  t.match(polled, { status: 401, body: { code: 'UNAUTHORIZED' } })
})

t.test('a token that ends while a socket renews to it closes the socket', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const socket = await alice.connect()
  const { token } = (await alice.call<Session>('POST', '/token')).body
  const held = holdRead(server, users.tokenHolder)
  const renewed = socket.request({ type: 'auth', token })
  await held.reached
  t.equal((await server.call('POST', '/logout', { token })).status, 204)
  t.match(await socket.settle(), { type: 'pong' }, 'the socket still has its first token')
  held.release()
  t.match(await renewed, { type: 'ack' })
  t.equal((await socket.closed).code, 4401)
  t.equal((await server.call('GET', '/users/me', { token })).status, 401, 'the earlier read is not cached')
})

t.test('a notice that arrives late does not end a token that was issued after it', async (t) => {
  const { app, login } = await startServer(t)
  const { bus, writer } = app.chat
  const alice = await login('alice')
  const revocations = [
    () => revokeTokens(app.chat, alice.id),
    () => writer.append('revokeEverybody', { era: 'of-everybody' }),
  ]
  for (const revoke of revocations) {
    const old = await (await login('alice')).connect()
    const { publish } = bus
    const late: Parameters<typeof publish>[0][] = []
    bus.publish = (batch) => void late.push(batch)
    await revoke()
    const fresh = await (await login('alice')).connect()
    bus.publish = publish
    for (const batch of late) publish(batch)
    t.equal((await old.closed).code, 4401)
    t.match(await fresh.settle(), { type: 'pong' })
  }
})
