import t from 'tap'
import { Messenger } from '../../client/src/index.ts'
import { createMessenger, nextState } from '../support/client.ts'
import { FakeSocket, hello, session, stored } from '../support/fake-socket.ts'

t.test('a client emits a repeated message once and ignores unknown frames', async (t) => {
  const { location } = globalThis
  t.teardown(() => Object.assign(globalThis, { location }))
  Object.assign(globalThis, { location: { origin: 'http://page.example' } })
  const messenger = new Messenger({
    session,
    WebSocket: FakeSocket,
    fetch: () => new Promise(() => {}),
  })
  const messages: number[] = []
  messenger.on('message', ({ id }) => messages.push(id))
  const connected = messenger.connect()
  await new Promise(setImmediate)
  const socket = FakeSocket.last.at(-1) as FakeSocket
  t.equal(socket.url, 'ws://page.example/ws')
  socket.receive(hello('e.0'))
  await connected
  const message = { type: 'message', cursor: 'e.1', ...stored(5) }
  socket.receive(message)
  socket.receive(message)
  socket.receive({ ...message, id: 4 })
  socket.receive({ type: 'of tomorrow' })
  socket.receive({ type: 'ack', cursor: 'e.2' })
  socket.receive({ type: 'error', retryable: false, problem: { code: 'FORBIDDEN' } })
  t.strictSame(messages, [5])
  // The other side never answers the close.
  await messenger.close()
  socket.receive({ ...message, id: 9 })
  await messenger.close()
  t.strictSame(messages, [5])
})

t.test(
  'a cursor passed to connect() during a connection attempt replaces the start of the stream',
  async (t) => {
    const messenger = createMessenger(t, { url: 'http://x', session, WebSocket: FakeSocket })
    const before = FakeSocket.last.length
    const opened = async () => {
      await new Promise(setImmediate)
      return FakeSocket.last.slice(before)
    }
    const resets: unknown[] = []
    const states: string[] = []
    messenger.on('reset', (event) => resets.push(event))
    messenger.on('state', ({ state }) => states.push(state))

    const connecting = [messenger.connect()]
    await opened()
    connecting.push(messenger.connect({ cursor: 'old.5' }))
    const [first, second] = (await opened()) as [FakeSocket, FakeSocket]
    t.strictSame([first.url, second.url], ['ws://x/ws', 'ws://x/ws?cursor=old.5'])
    first.receive(hello('e.9'))
    t.equal(messenger.hello, undefined, 'the client ignores the stream that starts at the head')
    second.receive({ type: 'error', retryable: false, problem: { code: 'CURSOR_UNKNOWN' } })
    connecting.push(messenger.connect({ cursor: 'e.6' }), messenger.connect({ cursor: 'e.6' }))
    const [, , third, ...others] = await opened()
    t.equal(third?.url, 'ws://x/ws?cursor=e.6')
    t.strictSame(others, [])
    third?.receive(hello('e.6'))
    await Promise.all(connecting)
    t.strictSame(resets, [], 'an error about an earlier cursor resets nothing')
    t.strictSame(states, ['connecting', 'catching_up'])
  },
)

t.test('a client repeats only its last watch list after a retryable refusal', async (t) => {
  const messenger = createMessenger(t, { url: 'http://x', session, WebSocket: FakeSocket })
  const connect = async () => {
    const connected = messenger.connect()
    await new Promise(setImmediate)
    const socket = FakeSocket.last.at(-1) as FakeSocket
    socket.receive(hello('e.0'))
    await connected
    return socket
  }
  const problem = { code: 'OVERLOADED', detail: '' }
  const refuse = (socket: FakeSocket, index: number, more: object) => {
    const { id } = JSON.parse(socket.sent[index] as string)
    socket.receive({ type: 'error', id, retryable: true, problem, ...more })
  }
  const watched = ({ sent }: FakeSocket) => sent.map((text) => JSON.parse(text).usernames)
  /** Waits until the client has sent `count` frames. */
  const went = async (socket: FakeSocket, count: number) => {
    while (socket.sent.length < count) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  const first = await connect()
  messenger.watch(['bob'])
  refuse(first, 0, { retry_after: 0 })
  await went(first, 2)
  messenger.watch(['carol'])
  refuse(first, 1, {})
  refuse(first, 2, {})
  await went(first, 4)
  refuse(first, 3, { retryable: false })
  refuse(first, 3, { retry_after: 0.01 })
  t.strictSame(watched(first), [['bob'], ['bob'], ['carol'], ['carol']])
  const lost = nextState(messenger, 'waiting')
  first.dispatchEvent(Object.assign(new Event('close'), { code: 1001 }))
  await lost
  const second = await connect()
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.strictSame(watched(second), [['carol']], 'a new connection sends the list once')
  // A timer that outlives the client would hold this process.
  refuse(second, 0, { retry_after: 3600 })
})
