import t from 'tap'
import { WebSocket } from 'ws'
import { memoryStorage, unwrap } from '../../client/src/index.ts'
import { collect, createMessenger, next, nextState, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

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
