import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { login as begin } from '../../client/src/index.ts'
import { createMessenger, next, nextState, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

const user = { id: 1, username: 'bob' }
const session = { token: 'x.y.z', expires_at: '', user }
const never = { min: 1e9, max: 1e9 }

/** Gives this runtime the events of a page. @returns what makes them happen, and the listeners that there are */
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

/** @returns a page with a connected client, whose way to the server can be cut */
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
  // The network brings nothing any more, not even the end of the connection.
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

t.test('an offline event ends a handshake that has no answer', async (t) => {
  const { page, proxy, bob } = await openClient(t)
  proxy.hold()
  proxy.cut()
  await nextState(bob, 'waiting')
  const connecting = nextState(bob, 'connecting')
  page.dispatch('online')
  await connecting
  await new Promise(setImmediate)
  proxy.calm()
  // What is asked next has an answer; the wait after it is left out, for online came meanwhile.
  page.dispatch('offline')
  const online = nextState(bob, 'online')
  page.dispatch('online')
  await online
  t.equal(bob.state, 'online')
})

t.test('a page that is shown again finds out that its connection is dead', async (t) => {
  // By heartbeats alone it would take longer than this test may.
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

t.test('a connection that answers when it is doubted stays, and is asked once at a time', async (t) => {
  const page = becomePage(t)
  let pings = 0
  let pinged = () => {}
  class Answering extends EventTarget {
    constructor() {
      super()
      setImmediate(() => this.receive({ type: 'hello', cursor: 'e.0', heartbeat_ms: 10, limits: {}, user }))
    }
    receive(frame: object) {
      this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(frame) }))
    }
    send() {
      pings += 1
      this.receive({ type: 'pong' })
      pinged()
    }
    close() {}
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

t.test('the listeners are there from connect() to the end, and not before', async (t) => {
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
  t.equal(page.count(), 0, 'nor where no attempt would help')
})
