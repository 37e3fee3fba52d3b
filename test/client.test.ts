import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { WebSocket } from 'ws'
import { fileStorage } from '../client/src/file-storage.ts'
import { login, type Messenger, memoryStorage, unwrap } from '../client/src/index.ts'
import { collect, createMessenger, next, nextState } from './support/client.ts'
import { startServer } from './support/server.ts'
import { startProxy } from './support/unreliable-proxy.ts'

const open = async (messenger: Messenger) => {
  const online = nextState(messenger, 'online')
  await messenger.connect()
  await online
  return messenger
}

t.test('a message comes once to everybody, its sender included, in the order of ids', async (t) => {
  const { url } = await startServer(t)
  const alice = createMessenger(t, { url: `${url}/`, username: 'alice' })
  const bob = createMessenger(t, { url, username: 'bob', WebSocket })
  t.equal(alice.state, 'idle')
  const [forAlice, forBob] = [collect(alice, 'message'), collect(bob, 'message')]
  const sentEvents = collect(alice, 'sent')
  await Promise.all([open(alice), open(bob)])
  await alice.connect()
  t.match(alice.hello, { user: { username: 'alice' } })

  const first = await alice.send({ receiver_username: 'bob', content: 'hello' })
  t.equal(alice.outbox.length, 0)
  t.match(sentEvents, [{ client_id: first.client_id, message: { id: first.id } }])
  const answer = next(alice, 'message', ({ content }) => content === 'hi')
  await bob.send({ conversation_id: first.conversation_id, content: 'hi' })
  await answer
  const expected = [
    { content: 'hello', sender: 'alice' },
    { content: 'hi', sender: 'bob' },
  ]
  t.match(forAlice, expected)
  t.match(forBob, expected)
  t.equal(forAlice.length, 2)

  const off = alice.on('message', () => t.fail('no longer listens'))
  off()
  const note = next(alice, 'message', ({ receiver }) => receiver === 'alice')
  await alice.send({ receiver_username: 'ALICE', content: 'a note' })
  await note
})

t.test('edits, deletions and marks come as events on all devices; typing and presence too', async (t) => {
  const { url } = await startServer(t)
  const alice = createMessenger(t, { url, username: 'alice' })
  const bob = createMessenger(t, { url, username: 'bob' })
  alice.watch(['bob'])
  const [marks, updates] = [collect(alice, 'receipt'), collect(alice, 'message_updated')]
  await Promise.all([open(alice), open(bob)])

  const came = next(bob, 'message')
  const present = next(alice, 'presence', ({ online }) => online)
  const made = next(bob, 'conversation')
  const { id, conversation_id } = await alice.send({ receiver_username: 'bob', content: 'helo' })
  t.match(await made, { peer: 'alice', you: 'joined' })
  await came
  alice.watch(['bob'])
  t.match(await present, { username: 'bob' })

  const edited = next(bob, 'message_updated')
  t.match(await alice.edit(id, 'hello'), { content: 'hello' })
  t.match(await edited, { id, content: 'hello' })
  const typing = next(alice, 'typing')
  bob.typing(conversation_id)
  bob.typing(conversation_id)
  t.match(await typing, { username: 'bob', conversation_id })
  const read = next(alice, 'receipt', ({ username }) => username === 'bob')
  t.match(await bob.mark(conversation_id, { read_up_to: id }), { read_up_to: id, delivered_up_to: id })
  t.match(await read, { read_up_to: id })
  t.match(await alice.delete(id), { content: '' })
  t.match(updates, [{ content: 'hello' }, { deleted_at: String }], 'my own changes are events as well')
  t.equal(marks.length, 1)
  await t.rejects(bob.edit(id, 'mine now'), { code: 'FORBIDDEN', status: 403, retryable: false })
})

t.test('what was missed comes once when the connection is back, and goes on where it was', async (t) => {
  const { url, login } = await startServer(t)
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const alice = await login('alice')
  const bob = createMessenger(t, { url: proxy.url, username: 'bob' })
  const messages = collect(bob, 'message')
  const states = collect(bob, 'state')
  await open(bob)
  await alice.send('bob', '1')
  const back = nextState(bob, 'waiting').then(() => nextState(bob, 'online'))
  proxy.cut()
  await alice.send('bob', '2')
  await back
  const last = next(bob, 'message', ({ content }) => content === '3')
  await alice.send('bob', '3')
  await last
  t.match(
    messages.map(({ content }) => content),
    ['1', '2', '3'],
  )
  t.ok(states.some(({ state }) => state === 'catching_up'))
})

t.test('a silent connection is given up after two heartbeats', async (t) => {
  const { url, login } = await startServer(t, { HEARTBEAT_MS: '100' })
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const alice = await login('alice')
  for (const implementation of [globalThis.WebSocket, WebSocket]) {
    const bob = createMessenger(t, { url: proxy.url, username: 'bob', WebSocket: implementation })
    await open(bob)
    const lost = nextState(bob, 'waiting')
    proxy.stall()
    await lost
    const came = next(bob, 'message')
    await alice.send('bob', 'hello')
    t.match(await came, { content: 'hello' })
    await bob.close()
  }
})

t.test('a handshake that stalls is given up, and tried again', async (t) => {
  const { url } = await startServer(t)
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const session = await login(url, { username: 'bob' })
  const bob = createMessenger(t, { url: proxy.url, session, timeout: 100 })
  proxy.hold()
  const waiting = nextState(bob, 'waiting')
  const connected = bob.connect()
  await waiting
  proxy.calm()
  await connected
})

t.test('connect() during a wait tries at once', async (t) => {
  const { url } = await startServer(t)
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const bob = createMessenger(t, { url: proxy.url, username: 'bob', backoff: { min: 1e9, max: 1e9 } })
  await open(bob)
  const lost = nextState(bob, 'waiting')
  proxy.cut()
  await lost
  await bob.connect()
  t.not(bob.state, 'waiting')
})

t.test('what was not sent is kept, and sent once by the next client of the same storage', async (t) => {
  const { url, folder, login } = await startServer(t)
  const file = join(folder, 'alice.jsonl')
  const bob = await login('bob')
  const offline = createMessenger(t, {
    url: 'http://127.0.0.1:1',
    username: 'alice',
    storage: fileStorage(file),
  })
  const client_id = 'mine'
  const sending = offline.send({ receiver_username: 'bob', content: '1', client_id })
  const same = offline.send({ receiver_username: 'bob', content: '1', client_id })
  const second = offline.send({ receiver_username: 'bob', content: '2' })
  const connecting = offline.connect()
  await nextState(offline, 'waiting')
  t.match(offline.outbox, [{ client_id }, { content: '2' }])
  await Promise.all([
    ...[sending, same, second].map((sent) =>
      t.rejects(
        sent.then(() => undefined),
        { code: 'CLOSED' },
      ),
    ),
    t.rejects(connecting, { code: 'CLOSED' }),
    offline.close(),
  ])
  await t.rejects(offline.send({ receiver_username: 'bob', content: '3' }), { code: 'CLOSED' })
  await t.rejects(offline.connect(), { code: 'CLOSED' })

  await appendFile(file, '{"put":{"client_id":"torn')
  const alice = createMessenger(t, { url, username: 'alice', storage: fileStorage(file) })
  const sent = new Promise((resolve) => {
    alice.on('outbox', () => alice.outbox.length === 0 && resolve(undefined))
  })
  await open(alice)
  await sent
  t.match(await bob.history('alice'), [{ content: '1' }, { content: '2' }])
  const live = next(alice, 'message')
  await bob.send('alice', 'while here')
  await live
  await alice.close()
  t.notMatch(await readFile(file, 'utf8'), 'torn')

  await bob.send('alice', 'while away')
  const back = createMessenger(t, { url, username: 'alice', storage: fileStorage(file) })
  const missed = next(back, 'message')
  await open(back)
  t.match(await missed, { content: 'while away' }, 'the first event is the first that was not seen')

  const other = createMessenger(t, { url, username: 'bob', storage: fileStorage(file) })
  await t.rejects(other.connect(), { code: 'STORAGE_IN_USE' }, 'nobody sends what another has written')
  t.equal(other.state, 'stopped')
})

t.test('a cursor that the server does not know is told, and the stream goes on from now', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  await alice.send('alice', 'old')
  const messenger = createMessenger(t, { url, session: alice.session })
  const reset = next(messenger, 'reset')
  const online = nextState(messenger, 'online')
  await messenger.connect({ cursor: 'of-another.7' })
  t.match(await reset, { cursor: String })
  await online
  const { conversations, cursor } = await unwrap(messenger.api.GET('/conversations'))
  t.match(conversations, [{ last_message: { content: 'old' } }])
  t.equal(messenger.hello?.cursor, cursor)
})

t.test('a cursor of what was loaded is where the stream goes on', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const messenger = createMessenger(t, { url, session: alice.session })
  const { cursor } = await unwrap(messenger.api.GET('/conversations'))
  await alice.send('alice', 'since then')
  const message = next(messenger, 'message')
  await messenger.connect({ cursor })
  t.match(await message, { content: 'since then' })
  await messenger.connect({ cursor })
})

t.test('a token is renewed before it ends, and the socket stays', async (t) => {
  const { url } = await startServer(t, { TOKEN_TTL: '2' })
  let failures = 1
  const messenger = createMessenger(t, {
    url,
    username: 'alice',
    fetch: (request) => {
      if (!request.url.endsWith('/token') || failures === 0) return fetch(request)
      failures -= 1
      return Promise.reject(new Error('the network is away'))
    },
  })
  const states = collect(messenger, 'state')
  await open(messenger)
  const first = messenger.session?.token
  await next(messenger, 'session')
  await next(messenger, 'session')
  t.not(messenger.session?.token, first)
  await messenger.send({ receiver_username: 'alice', content: 'still here' })
  t.strictSame(
    states.map(({ state }) => state),
    ['connecting', 'online'],
  )
})

t.test('where the session has ended, one who gave a name is logged in again, another is told', async (t) => {
  const { url } = await startServer(t)
  const session = await login(url, { username: 'alice' })
  const byName = createMessenger(t, { url, username: 'alice' })
  const bySession = createMessenger(t, { url, session })
  await Promise.all([open(byName), open(bySession)])
  const stopped = nextState(bySession, 'stopped')
  const again = nextState(byName, 'connecting').then(() => nextState(byName, 'online'))
  await unwrap(bySession.api.POST('/logout', { params: { query: { everywhere: true } } }))
  t.match((await stopped).error, { code: 'SIGNED_OUT' })
  await again
  await t.rejects(bySession.connect(), { code: 'SIGNED_OUT' }, 'and is told again')

  const dead = createMessenger(t, { url, session })
  await t.rejects(dead.connect(), { code: 'SIGNED_OUT' }, 'a handshake with a dead token')
  const withName = createMessenger(t, { url, session, username: 'alice' })
  await withName.connect()
  await withName.logout()
  t.equal(withName.state, 'closed')
})

t.test('a token that can no longer be renewed ends the session', async (t) => {
  const { url } = await startServer(t)
  const session = await login(url, { username: 'alice' })
  const problem = { code: 'UNAUTHORIZED', detail: 'no', status: 401, title: '', type: '', request_id: '' }
  const messenger = createMessenger(t, {
    url,
    session,
    fetch: (request) =>
      request.url.endsWith('/token')
        ? Promise.resolve(Response.json(problem, { status: 401 }))
        : fetch(request),
  })
  const stopped = nextState(messenger, 'stopped')
  await messenger.connect()
  t.match((await stopped).error, { code: 'SIGNED_OUT' })
})

t.test('an account with a password asks for it', async (t) => {
  const { url } = await startServer(t)
  await login(url, { username: 'alice', password: 'correct horse' })
  await t.rejects(createMessenger(t, { url, username: 'alice' }).connect(), {
    code: 'PASSWORD_REQUIRED',
    status: 401,
  })
  await createMessenger(t, { url, username: 'alice', password: 'correct horse' }).connect()
})

t.test('a close that says not to come back is obeyed', async (t) => {
  const { url } = await startServer(t, { MAX_SOCKETS_PER_USER: '1' })
  await open(createMessenger(t, { url, username: 'alice' }))
  const second = createMessenger(t, { url, username: 'alice' })
  await t.rejects(second.connect(), { code: 'CLOSED_BY_SERVER', message: /4409/ })
})

t.test('a server that has no room is asked again when it says so', async (t) => {
  const { url } = await startServer(t, { MAX_SOCKETS: '1' })
  const first = await open(createMessenger(t, { url, username: 'alice' }))
  const second = createMessenger(t, { url, username: 'bob' })
  const waiting = nextState(second, 'waiting')
  const connected = second.connect()
  t.match(await waiting, { retry_in_ms: Number })
  await first.close()
  await connected
})

t.test('what the server will never take leaves the outbox with its problem', async (t) => {
  const { url } = await startServer(t, { MAX_MESSAGE_LENGTH: '10' })
  const alice = await open(createMessenger(t, { url, username: 'alice' }))
  const failed = collect(alice, 'send_failed')
  const states = collect(alice, 'state')
  const send = (more: object) => alice.send({ receiver_username: 'alice', content: 'x', ...more })
  await t.rejects(send({ receiver_username: 'nobody' }), { code: 'USER_NOT_FOUND', problem: { status: 404 } })
  for (let count = 0; count < 12; count += 1) {
    await t.rejects(send({ content: 'x'.repeat(11) }), { code: 'VALIDATION_FAILED' })
  }
  await t.rejects(send({ metadata: { long: 'x'.repeat(2000) } }), { code: 'VALIDATION_FAILED' })
  await t.rejects(send({ client_id: 'x'.repeat(20_000) }), { code: 'PAYLOAD_TOO_LARGE' })
  await t.rejects(alice.edit(1, 'x'.repeat(11)), { code: 'VALIDATION_FAILED' })
  t.equal(failed.length, 15)
  t.equal(alice.outbox.length, 0)
  await send({ content: '🎈'.repeat(10), metadata: { kind: 'balloons' } })
  t.strictSame(states, [], 'and none of it cost the connection')
})

t.test('over a limit it waits as long as it is told, and the order stays', async (t) => {
  const { url, login } = await startServer(t, { RATE_LIMIT_SEND: '60', SOCKET_FRAMES_PER_SECOND: '20' })
  const bob = await login('bob')
  const alice = await open(createMessenger(t, { url, username: 'alice' }))
  const contents = Array.from({ length: 62 }, (_, index) => String(index))
  const sent = await Promise.all(contents.map((content) => alice.send({ receiver_username: 'bob', content })))
  t.match(
    (await bob.history('alice')).map(({ content }) => content),
    contents,
  )
  const [first] = sent
  t.match(await alice.edit(first?.id as number, 'edited'), { content: 'edited' }, 'requests wait as well')
})

t.test(
  'events can be iterated; the cursor that is kept is that of the last that was done with',
  async (t) => {
    const { url, login } = await startServer(t)
    const bob = await login('bob')
    const storage = memoryStorage()
    const alice = createMessenger(t, { url, username: 'alice', storage })
    const seen: string[] = []
    const reading = (async () => {
      for await (const event of alice) {
        if (event.type !== 'message') continue
        seen.push(event.content)
        if (event.content === '2') return
      }
    })()
    const all: string[] = []
    const readingAll = (async () => {
      for await (const event of alice.events()) if (event.type === 'message') all.push(event.content)
    })()
    await open(alice)
    const third = next(alice, 'message', ({ content }) => content === '3')
    for (const content of ['1', '2', '3']) await bob.send('alice', content)
    await reading
    t.strictSame(seen, ['1', '2'])
    await third
    await alice.close()
    await readingAll
    t.strictSame(all, ['1', '2', '3'])
    t.match(await storage.load(), { owner: String, cursor: String })
    const { value, done } = await alice.events().next()
    t.match({ value, done }, { value: undefined, done: true })
  },
)

t.test('a storage that fails is told, and a message that it can not keep is not sent', async (t) => {
  const { url } = await startServer(t)
  const storage = {
    ...memoryStorage(),
    put: () => {
      throw new Error('the quota is used up')
    },
    setCursor: () => Promise.reject(new Error('the quota is used up')),
  }
  const alice = createMessenger(t, { url, username: 'alice', storage })
  const failed = next(alice, 'storage_failed')
  await alice.connect()
  t.match((await failed).error, { code: 'STORAGE' })
  await t.rejects(alice.send({ receiver_username: 'alice', content: 'x' }), { code: 'STORAGE' })
  t.equal(alice.outbox.length, 0)
})
