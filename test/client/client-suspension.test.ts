import t, { type Test } from 'tap'
import { type MessengerOptions, unwrap } from '../../client/src/index.ts'
import { collect, createMessenger, next, nextState, open } from '../support/client.ts'
import { createApp } from '../support/server-key.ts'
import { logIn, startServer } from '../support/server.ts'

const suspended = { code: 'ACCOUNT_SUSPENDED', status: 403, retryable: false, message: /Reason: Insults$/ }

const start = async (t: Test) => {
  const server = await startServer(t)
  const backend = await createApp(server)
  const path = '/users/bob/suspension'
  return {
    ...server,
    alice: await server.login('alice'),
    suspend: async () => {
      const { status } = await backend.call('PUT', path, { reason: 'Insults' })
      if (status !== 200) throw new Error(`suspend: ${status}`)
    },
    lift: async () => {
      const { status } = await backend.call('DELETE', path)
      if (status !== 204) throw new Error(`lift: ${status}`)
    },
  }
}

t.test('a suspension stops a client that is online, and connect() continues after its end', async (t) => {
  const { url, alice, suspend, lift } = await start(t)
  const bob = createMessenger(t, { url, session: await logIn(url, 'bob') })
  const states = collect(bob, 'state')
  const failed = collect(bob, 'send_failed')
  const messages = collect(bob, 'message')
  await open(bob)
  await bob.send({ receiver_username: 'alice', content: 'before' })
  const stopped = nextState(bob, 'stopped')
  await suspend()
  t.match((await stopped).error, suspended)

  await alice.send('bob', 'meanwhile')
  const sending = bob.send({ receiver_username: 'alice', content: 'written during the suspension' })
  await t.rejects(unwrap(bob.api.GET('/conversations')), suspended, 'calls are refused')
  await t.rejects(bob.connect(), suspended, 'connect() makes one attempt')
  t.match(bob.outbox, [{ content: 'written during the suspension' }])
  t.strictSame(
    states.map(({ state }) => state),
    ['connecting', 'online', 'stopped', 'connecting', 'stopped'],
    'the client does not try again by itself',
  )

  await lift()
  const caughtUp = next(bob, 'caught_up')
  await bob.connect()
  await caughtUp
  const { id } = await sending
  t.strictSame(
    messages.map(({ content }) => content),
    ['before', 'meanwhile', 'written during the suspension'],
  )
  t.equal(messages.at(-1)?.id, id)
  t.strictSame([bob.outbox, failed], [[], []])
})

t.test('a client of a suspended user stops at its start, however it logs in', async (t) => {
  const { url, suspend, lift } = await start(t)
  const session = await logIn(url, 'bob')
  let tokens = 0
  const ways: [string, Partial<MessengerOptions>][] = [
    ['a session', { session }],
    ['a login', { username: 'bob' }],
    ['getToken', { getToken: () => ((tokens += 1), session.token) }],
  ]
  await suspend()
  for (const [way, options] of ways) {
    const bob = createMessenger(t, { url, ...options })
    const states = collect(bob, 'state')
    const sending = bob.send({ receiver_username: 'alice', content: way })
    await t.rejects(bob.connect(), suspended, way)
    t.strictSame(
      states.map(({ state }) => state),
      ['connecting', 'stopped'],
    )
    t.match(bob.outbox, [{ content: way }])
    await lift()
    await bob.connect()
    t.match(await sending, { sender: 'bob', content: way })
    await suspend()
    await bob.close()
  }
  t.equal(tokens, 2, 'the app is asked for a token once for each connect()')
})

t.test('messages on their way during a suspension are stored once, in order', async (t) => {
  const { url, alice, suspend, lift } = await start(t)
  const bob = createMessenger(t, { url, username: 'bob' })
  const failed = collect(bob, 'send_failed')
  await open(bob)
  const contents = Array.from({ length: 80 }, (_, index) => `message ${index}`)
  const send = (content: string) => bob.send({ receiver_username: 'alice', content })
  const sent = contents.map(send)
  const stopped = nextState(bob, 'stopped')
  await sent[2]
  await suspend()
  t.match((await stopped).error, suspended)
  sent.push(send('the last one'))
  await lift()
  await bob.connect()
  await Promise.all(sent)
  t.strictSame(failed, [])
  const history = await alice.history('bob', '?limit=100')
  t.strictSame(
    history.map(({ content }) => content),
    [...contents, 'the last one'],
  )
})

t.test('a client reconnects by itself if the suspension has ended when it asks for the reason', async (t) => {
  const { url, suspend, lift } = await start(t)
  let asked = () => {}
  const asking = new Promise<void>((resolve) => (asked = resolve))
  let answer = () => {}
  const lifted = new Promise<void>((resolve) => (answer = resolve))
  const bob = createMessenger(t, {
    url,
    username: 'bob',
    fetch: async (request) => {
      if (request.url.endsWith('/users/me')) {
        asked()
        await lifted
      }
      return fetch(request)
    },
  })
  await open(bob)
  const online = nextState(bob, 'online')
  await suspend()
  await asking
  await lift()
  answer()
  await online
  t.match(await bob.send({ receiver_username: 'bob', content: 'back' }), { sender: 'bob' })
})
