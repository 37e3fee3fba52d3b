import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { login as begin } from '../../client/src/index.ts'
import { createMessenger, next, nextState, open } from '../support/client.ts'
import { FakeSocket, hello, session } from '../support/fake-socket.ts'
import { startServer } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

const never = { min: 1e9, max: 1e9 }

/** Gives this runtime the events of a page. @returns functions that dispatch the events and count the listeners */
const becomePage = (t: Test) => {
  const listeners = new Map<string, Set<() => void>>()
  const target = {
    addEventListener: (type: string, listener: () => void) => {
      listeners.set(type, (listeners.get(type) ?? new Set()).add(listener))
    },
    removeEventListener: (type: string, listener: () => void) => {
      listeners.get(type)?.delete(listener)
    },
  }
  const document = { ...target, visibilityState: 'visible' }
  Object.assign(globalThis, target, { document })
  t.teardown(() => {
    for (const name of ['addEventListener', 'removeEventListener', 'document'])
      Reflect.deleteProperty(globalThis, name)
  })
  return {
    document,
    count: () => [...listeners.values()].reduce((sum, { size }) => sum + size, 0),
    dispatch: (type: string) => {
      for (const listener of listeners.get(type) ?? []) listener()
    },
  }
}

/** @returns a page with a connected client, whose connection to the server can be cut */
const openClient = async (t: Test, env: Record<string, string> = {}) => {
  const { url, login } = await startServer(t, env)
  const page = becomePage(t)
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const alice = await login('alice')
  const session = await begin(url, { username: 'bob' })
  // Node's own WebSocket may use a connection of `fetch` for its handshake, which is cut as well.
  const bob = createMessenger(t, { url: proxy.url, session, backoff: never, WebSocket })
  await open(bob)
  return { page, proxy, alice, bob }
}

t.test('an offline event ends the connection in the same turn, and online begins the next', async (t) => {
  const { page, proxy, alice, bob } = await openClient(t)
  // The network delivers nothing, not even the end of the connection.
  proxy.stall()
  const waiting = nextState(bob, 'waiting')
  page.dispatch('offline')
  await waiting
  const sent = bob.send({ receiver_username: 'alice', content: 'written offline' })
  await alice.send('bob', 'missed')
  const [missed, online] = [
    next(bob, 'message', ({ sender }) => sender === 'alice'),
    nextState(bob, 'online'),
  ]
  page.dispatch('online')
  await online
  t.match(await missed, { content: 'missed' })
  t.match(await sent, { content: 'written offline' })
})

t.test('an offline event ends an unanswered handshake', async (t) => {
  const { page, proxy, bob } = await openClient(t)
  proxy.hold()
  proxy.cut()
  await nextState(bob, 'waiting')
  const connecting = nextState(bob, 'connecting')
  page.dispatch('online')
  await connecting
  await new Promise(setImmediate)
  proxy.calm()
  // The next handshake is answered. The client skips the pause before it, because `online` came meanwhile.
  page.dispatch('offline')
  const online = nextState(bob, 'online')
  page.dispatch('online')
  await online
  t.equal(bob.state, 'online')
})

t.test('a page that becomes visible detects a dead connection', async (t) => {
  // Heartbeats would detect it after the timeout of this test.
  const { page, proxy, bob } = await openClient(t, { HEARTBEAT_MS: '600000' })
  const waiting = nextState(bob, 'waiting')
  page.document.visibilityState = 'hidden'
  page.dispatch('visibilitychange')
  proxy.stall()
  page.document.visibilityState = 'visible'
  page.dispatch('visibilitychange')
  page.dispatch('visibilitychange')
  await waiting
  const online = nextState(bob, 'online')
  page.dispatch('visibilitychange')
  await online
  t.equal(bob.state, 'online')
})

t.test('a connection that answers the check stays open, with one check at a time', async (t) => {
  const page = becomePage(t)
  let pings = 0
  let pinged = () => {}
  class Answering extends FakeSocket {
    constructor(url: string) {
      super(url)
      setImmediate(() => this.receive(hello('e.0', 10)))
    }
    override send() {
      pings += 1
      this.receive({ type: 'pong' })
      pinged()
    }
  }
  const bob = createMessenger(t, { url: 'http://127.0.0.1', session, WebSocket: Answering })
  await bob.connect()
  const states: string[] = []
  bob.on('state', ({ state }) => states.push(state))
  for (let turn = 0; turn < 5; turn += 1) page.dispatch('online')
  t.equal(pings, 1)
  await new Promise<void>((resolve) => {
    pinged = () => pings === 4 && resolve()
  })
  page.dispatch('online')
  t.equal(pings, 5)
  t.strictSame(states, [])
})

t.test('the client listens to page events from connect() to its end only', async (t) => {
  const page = becomePage(t)
  const { url } = await startServer(t)
  const bob = createMessenger(t, { url, username: 'bob' })
  t.equal(page.count(), 0)
  await open(bob)
  t.equal(page.count(), 3)
  await bob.close()
  t.equal(page.count(), 0)

  const alice = createMessenger(t, { url })
  await t.rejects(alice.connect(), { code: 'SIGNED_OUT' })
  t.equal(page.count(), 0, 'a failed connect() leaves no listener')
})
