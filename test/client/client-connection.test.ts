import t from 'tap'
import { WebSocket } from 'ws'
import { login } from '../../client/src/index.ts'
import { createMessenger, next, nextState, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

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

t.test('close() ends whatever is under way', async (t) => {
  const { url } = await startServer(t)
  const session = await login(url, { username: 'alice' })
  const loading = createMessenger(t, { url, session })
  const connecting = loading.connect()
  await Promise.all([t.rejects(connecting, { code: 'CLOSED' }), loading.close()])

  const asking = createMessenger(t, { url, session })
  const editing = asking.edit(1, 'x')
  await Promise.all([t.rejects(editing, { code: 'CLOSED' }), asking.close()])
  await t.rejects(asking.edit(1, 'x'), { code: 'CLOSED' }, 'an edit after close()')
  const sender = createMessenger(t, { url, username: 'alice' })
  const sending = sender.send({ receiver_username: 'alice', content: 'x' })
  await Promise.all([t.rejects(sending, { code: 'CLOSED' }), sender.close()])

  const refusal = {
    code: 'PASSWORD_REQUIRED',
    detail: 'now',
    status: 401,
    title: '',
    type: '',
    request_id: '',
  }
  for (const reply of [Response.json(session), Response.json(refusal, { status: 401 })]) {
    let answer = () => {}
    const messenger = createMessenger(t, {
      url,
      username: 'alice',
      fetch: () =>
        new Promise((resolve) => {
          answer = () => resolve(reply)
        }),
    })
    const started = nextState(messenger, 'connecting')
    const refused = t.rejects(messenger.connect(), { code: 'CLOSED' }, 'while it logs in')
    await started
    await new Promise(setImmediate)
    const closing = messenger.close()
    answer()
    await Promise.all([closing, refused])
  }
})
