import fs, { readFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { newClientId } from '../../client/src/client-id.ts'
import { EventStream } from '../../client/src/event-stream.ts'
import { fileStorage } from '../../client/src/file-storage.ts'
import {
  login,
  memoryStorage,
  Messenger,
  MessengerError,
  type MessengerStorage,
  webStorage,
} from '../../client/src/index.ts'
import type { ClientFrame, FrameOf, Limits, Message } from '../../client/src/index.ts'
import { SendQueue } from '../../client/src/send-queue.ts'
import { createMessenger, nextState } from '../support/client.ts'
import { temporaryFolder } from '../support/server.ts'

t.test(
  'a client id is a UUIDv7, and they rise, even within a millisecond or when the clock goes back',
  (t) => {
    const now = Date.now() + 60_000
    const ids = Array.from({ length: 5000 }, () => newClientId(now))
    ids.push(newClientId(now - 1000), newClientId(now + 1000))
    for (const id of ids.slice(0, 3))
      t.match(id, /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
    t.strictSame(ids, ids.toSorted())
    t.equal(new Set(ids).size, ids.length)
    t.equal(Number.parseInt((ids[0] as string).replaceAll('-', '').slice(0, 12), 16), now)
    t.end()
  },
)

const storageTests = (name: string, open: (folder: string) => MessengerStorage, isKept: boolean) =>
  t.test(`${name} keeps the owner, the cursor and the outbox in its order`, async (t) => {
    const folder = await temporaryFolder(t)
    const entry = (client_id: string) => ({ client_id, content: client_id, receiver_username: 'bob' })
    const storage = open(folder)
    t.strictSame(await storage.load(), { owner: undefined, cursor: undefined, outbox: [] })
    await Promise.all([
      storage.setOwner('me'),
      storage.setCursor('e.1'),
      storage.setCursor('e.2'),
      storage.put(entry('b')),
      storage.put(entry('a')),
      storage.put({ ...entry('b'), content: 'again' }),
      storage.put(entry('c')),
      storage.remove('a'),
      storage.remove('unknown'),
    ])
    await storage.close?.()
    const kept = { owner: 'me', cursor: 'e.2', outbox: [entry('b'), entry('c')] }
    const next = isKept ? open(folder) : storage
    t.strictSame(await next.load(), kept)
    await next.put(entry('0'))
    await next.remove('b')
    await next.close?.()
    t.strictSame((await (isKept ? open(folder) : storage).load()).outbox, [entry('c'), entry('0')])
  })

class Area {
  readonly #items = new Map<string, string>([['of another page', 'x']])
  get length() {
    return this.#items.size
  }
  key = (index: number) => [...this.#items.keys()][index] ?? null
  getItem = (key: string) => this.#items.get(key) ?? null
  setItem = (key: string, value: string) => {
    this.#items.set(key, value)
  }
  removeItem = (key: string) => {
    this.#items.delete(key)
  }
}
const area = new Area()

storageTests('memoryStorage', () => memoryStorage(), false)
storageTests('webStorage', () => webStorage(area), true)
storageTests('fileStorage', (folder) => fileStorage(join(folder, 'file')), true)

t.test('a file that has grown is written anew', async (t) => {
  const file = join(await temporaryFolder(t), 'file')
  const storage = fileStorage(file)
  await storage.load()
  let written: void | Promise<void> = undefined
  for (let index = 0; index <= 10_000; index += 1) written = storage.setCursor(`e.${index}`)
  await written
  await storage.setCursor('e.last')
  t.equal((await readFile(file, 'utf8')).trim(), '{"cursor":"e.10000"}\n{"cursor":"e.last"}')
})

t.test('a file of which a write has failed is made anew by the next, and has all', async (t) => {
  const file = join(await temporaryFolder(t), 'file')
  const { appendFile, rename } = fs
  const change = (functions: object) => {
    Object.assign(fs, functions)
    syncBuiltinESMExports()
  }
  t.teardown(() => change({ appendFile, rename }))
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const entry = (client_id: string) => ({ client_id, content: '', receiver_username: 'bob' })
  const load = async () => (await fileStorage(file).load()).outbox
  const storage = fileStorage(file)
  await storage.load()

  const failing = { rename: () => Promise.reject(full) }
  change(failing)
  await t.rejects(storage.put(entry('a')) as Promise<void>, { code: 'ENOSPC' })
  t.strictSame(await load(), [], 'the old file is as it was')
  change({ rename })
  await storage.put(entry('b'))
  t.strictSame(await load(), [entry('a'), entry('b')], 'after a whole file that failed')

  const half = async (path: string, text: string) => {
    await appendFile(path, text.slice(0, text.length / 2))
    throw full
  }
  change({ appendFile: half })
  await t.rejects(storage.put(entry('c')) as Promise<void>, { code: 'ENOSPC' })
  change({ appendFile })
  t.strictSame(await load(), [entry('a'), entry('b')], 'half a line is none')
  await storage.remove('a')
  await storage.put(entry('d'))
  t.strictSame(await load(), ['b', 'c', 'd'].map(entry), 'after a line that failed')
})

t.test('EventStream calls the other listeners and reports the cursor when a listener throws', (t) => {
  const thrown: unknown[] = []
  const { queueMicrotask } = globalThis
  t.teardown(() => Object.assign(globalThis, { queueMicrotask }))
  Object.assign(globalThis, {
    queueMicrotask: (task: () => void) => {
      try {
        task()
      } catch (error) {
        thrown.push(error)
      }
    },
  })
  const cursors: string[] = []
  const events = new EventStream((cursor) => cursors.push(cursor))
  const seen: unknown[] = []
  events.on('caught_up', () => {
    throw new Error('mine')
  })
  events.on('caught_up', (event) => seen.push(event))
  events.emit({ type: 'caught_up', cursor: 'e.1' }, 'e.1')
  t.match(thrown, [{ message: 'mine' }])
  t.match(seen, [{ cursor: 'e.1' }])
  t.strictSame(cursors, ['e.1'])
  events.end()
  events.emit({ type: 'caught_up', cursor: 'e.2' }, 'e.2')
  t.equal(seen.length, 1)
  t.end()
})

t.test('EventStream reports a cursor when each iterator has processed its event or has ended', async (t) => {
  const cursors: string[] = []
  const events = new EventStream((cursor) => cursors.push(cursor))
  const [slow, quick] = [events.iterate(), events.iterate()]
  const emit = (cursor: string) => events.emit({ type: 'caught_up', cursor }, cursor)
  const first = quick.next()
  emit('e.1')
  await first
  emit('e.2')
  await quick.next()
  await slow.next()
  t.strictSame(cursors, [])
  await slow.next()
  t.strictSame(cursors, ['e.1'])
  await quick.return?.()
  t.strictSame(cursors, ['e.1'])
  await slow.return?.()
  t.strictSame(cursors, ['e.1', 'e.2'])
  const early = events.iterate()
  emit('e.3')
  await early.return?.()
  t.strictSame(cursors, ['e.1', 'e.2', 'e.3'])
  const waiting = events.iterate()
  const end = waiting.next()
  events.end()
  t.match(await end, { done: true })
})

const limits: Limits = {
  max_message_length: 100,
  max_frame_bytes: 1000,
  max_metadata_bytes: 100,
  frames_per_second: 1000,
  sends_per_minute: 0,
}
const stored = (id: number, more: Partial<Message> = {}): Message => ({
  id,
  conversation_id: 7,
  sender: 'alice',
  sender_id: 1,
  receiver: 'bob',
  content: '',
  timestamp: '',
  ...more,
})

t.test('SendQueue sends one message of a conversation at a time, addressed by name or by id', async (t) => {
  const sent: ClientFrame[] = []
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  const contents = () => sent.map((frame) => ('content' in frame ? frame.content : frame.type))
  const send = (content: string, to: object) => {
    const promise = queue.add({ ...to, content, client_id: content })
    queue.markStored(content)
    return promise
  }
  queue.connected(limits, (frame) => sent.push(frame))
  const first = send('1', { receiver_username: 'bob' })
  queue.linkConversation('Bob', 7)
  const second = send('2', { conversation_id: 7 })
  send('3', { conversation_id: 8 }).catch(() => {})
  t.strictSame(contents(), ['1', '3'])
  queue.handleAck({ type: 'ack', id: '1', message: stored(1) })
  await first
  t.strictSame(contents(), ['1', '3', '2'])
  queue.disconnected()
  queue.markStored('unknown')
  queue.connected(limits, (frame) => sent.push(frame))
  t.strictSame(contents().slice(3), ['2', '3'], 'in the order of the calls')
  queue.handleAck({ type: 'ack', id: '2', message: stored(2) })
  await second
  queue.close({} as never)
  t.end()
})

t.test('SendQueue repeats a request after the pause that a retryable error asks for', async (t) => {
  const sent: ClientFrame[] = []
  let heard = () => {}
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  queue.connected(limits, (frame) => {
    sent.push(frame)
    heard()
  })
  const problem = { code: 'OVERLOADED', detail: '', status: 503, title: '', type: '', request_id: '' }
  const busy = (id: string): FrameOf<'error'> => ({
    type: 'error',
    id,
    retryable: true,
    retry_after: 0,
    problem,
  })
  const answer = queue.request({ type: 'delete', message_id: 1 })
  const [asked] = sent as { id: string }[]
  const again = new Promise<void>((resolve) => {
    heard = resolve
  })
  queue.handleError(busy((asked as { id: string }).id))
  await again
  t.strictSame(sent[1], sent[0])
  queue.handleError(busy('unknown'))
  queue.handleError({ ...busy('unknown'), retryable: false })
  queue.handleAck({ type: 'ack', id: 'unknown' })
  queue.handleAck({ type: 'ack', id: (asked as { id: string }).id })
  t.match(await answer, { type: 'ack' })
  queue.handleAck({ type: 'ack' })
  queue.close({} as never)
})

t.test('SendQueue sends the changes of one message one at a time, in the order of the calls', async (t) => {
  const sent: string[] = []
  const ids = new Map<string, string>()
  let heard = () => {}
  const queue = new SendQueue({ onSent: () => {}, onRejected: () => {} })
  const open = () =>
    queue.connected(limits, (frame) => {
      const name = 'content' in frame ? frame.content : (frame.type as string)
      sent.push(name)
      ids.set(name, frame.id as string)
      heard()
    })
  const went = () => sent.splice(0)
  const refuse = (name: string, retryable: boolean) =>
    queue.handleError({
      type: 'error',
      id: ids.get(name),
      retryable,
      retry_after: 0.01,
      problem: { code: 'OVERLOADED', detail: '', status: 503, title: '', type: '', request_id: '' },
    })
  const accept = (name: string) => queue.handleAck({ type: 'ack', id: ids.get(name) })
  const edit = (message_id: number, content: string) => queue.request({ type: 'edit', message_id, content })

  const [first, second] = [edit(1, 'first'), edit(1, 'second')]
  const others = [edit(2, 'another'), edit(3, 'third')]
  const deleted = queue.request({ type: 'delete', message_id: 1 })
  open()
  t.strictSame(
    went(),
    ['first', 'another', 'third'],
    'one change per message, and changes of other messages in between',
  )
  const again = new Promise<void>((resolve) => {
    heard = () => sent.length === 3 && resolve()
  })
  for (const name of ['first', 'third', 'another']) refuse(name, true)
  await again
  t.strictSame(went(), ['first', 'another', 'third'], 'requests that were refused for now keep their order')
  accept('another')
  accept('first')
  t.strictSame(went(), ['second'])
  queue.disconnected()
  open()
  t.strictSame(went(), ['second', 'third'], 'also after a reconnection')
  refuse('second', false)
  await t.rejects(second, { code: 'OVERLOADED' })
  t.strictSame(went(), ['delete'], 'the next change follows a change that was refused for good')
  accept('third')
  const last = edit(1, 'last')
  t.strictSame(went(), [])
  await Promise.all([first, ...others])
  queue.close(new MessengerError('CLOSED', ''))
  for (const waiting of [deleted, last]) await t.rejects(waiting, { code: 'CLOSED' })
})

t.test('what answers but is no Messenger is told from one', async (t) => {
  const answer = (status: number, body: string, headers = {}) =>
    login('http://x', { username: 'a' }, () => Promise.resolve(new Response(body, { status, headers })))
  await t.rejects(answer(502, 'Bad gateway', { 'retry-after': '7' }), {
    code: 'NETWORK',
    retryable: true,
    retryAfter: 7,
  })
  await t.rejects(answer(404, '{}'), { code: 'NETWORK', retryable: false })
  await t.rejects(answer(200, '{'), { code: 'NETWORK' })
})

class FakeSocket extends EventTarget {
  static readonly last: FakeSocket[] = []
  readonly url: string
  readonly sent: string[] = []
  closed: number | undefined
  constructor(url: string) {
    super()
    this.url = url
    FakeSocket.last.push(this)
  }
  send(text: string) {
    this.sent.push(text)
  }
  close(code?: number) {
    this.closed = code
  }
  receive(frame: object) {
    this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(frame) }))
  }
}

t.test('whatever a server does, a message is handed over once; what is not known is ignored', async (t) => {
  const { location } = globalThis
  t.teardown(() => Object.assign(globalThis, { location }))
  Object.assign(globalThis, { location: { origin: 'http://page.example' } })
  const session = { token: 'x.y.z', expires_at: '', user: { id: 1, username: 'alice' } }
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
  socket.receive({ type: 'hello', cursor: 'e.0', heartbeat_ms: 60_000, limits, user: session.user })
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

t.test('a cursor that is given while it connects is where the stream begins', async (t) => {
  const session = { token: 'x.y.z', expires_at: '', user: { id: 1, username: 'alice' } }
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
  const hello = (cursor: string) => ({
    type: 'hello',
    cursor,
    heartbeat_ms: 60_000,
    limits,
    user: session.user,
  })

  const connecting = [messenger.connect()]
  await opened()
  connecting.push(messenger.connect({ cursor: 'old.5' }))
  const [first, second] = (await opened()) as [FakeSocket, FakeSocket]
  t.strictSame([first.url, second.url], ['ws://x/ws', 'ws://x/ws?cursor=old.5'])
  first.receive(hello('e.9'))
  t.equal(messenger.hello, undefined, 'the stream that would have begun at the head does not count')
  second.receive({ type: 'error', retryable: false, problem: { code: 'CURSOR_UNKNOWN' } })
  connecting.push(messenger.connect({ cursor: 'e.6' }), messenger.connect({ cursor: 'e.6' }))
  const [, , third, ...others] = await opened()
  t.equal(third?.url, 'ws://x/ws?cursor=e.6')
  t.strictSame(others, [])
  third?.receive(hello('e.6'))
  await Promise.all(connecting)
  t.strictSame(resets, [], 'what was said of a cursor is not said of the next')
  t.strictSame(states, ['connecting', 'catching_up'])
})

t.test(
  'a list of people to watch that is refused for now is asked for again, the last one only',
  async (t) => {
    const session = { token: 'x.y.z', expires_at: '', user: { id: 1, username: 'alice' } }
    const messenger = createMessenger(t, { url: 'http://x', session, WebSocket: FakeSocket })
    const connect = async () => {
      const connected = messenger.connect()
      await new Promise(setImmediate)
      const socket = FakeSocket.last.at(-1) as FakeSocket
      socket.receive({ type: 'hello', cursor: 'e.0', heartbeat_ms: 60_000, limits, user: session.user })
      await connected
      return socket
    }
    const problem = { code: 'OVERLOADED', detail: '' }
    const refuse = (socket: FakeSocket, index: number, more: object) => {
      const { id } = JSON.parse(socket.sent[index] as string)
      socket.receive({ type: 'error', id, retryable: true, problem, ...more })
    }
    const asked = ({ sent }: FakeSocket) => sent.map((text) => JSON.parse(text).usernames)
    /** Waits until so many frames have gone. */
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
    t.strictSame(asked(first), [['bob'], ['bob'], ['carol'], ['carol']])
    const lost = nextState(messenger, 'waiting')
    first.dispatchEvent(Object.assign(new Event('close'), { code: 1001 }))
    await lost
    const second = await connect()
    await new Promise((resolve) => setTimeout(resolve, 50))
    t.strictSame(asked(second), [['carol']], 'with a new connection it goes once')
    // A timer that outlives the client would hold this process.
    refuse(second, 0, { retry_after: 3600 })
  },
)
