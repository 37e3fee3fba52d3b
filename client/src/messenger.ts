import { newClientId } from './client-id.ts'
import { Courier } from './courier.ts'
import { MessengerError } from './error.ts'
import { type Events, type EventType, Feed, type MessengerEvent, type State } from './events.ts'
import { type Api, createApi, type Credentials, type Fetch, globalFetch, unwrap } from './http.ts'
import { Link } from './link.ts'
import { serverUrl } from './server-url.ts'
import { SessionKeeper } from './session.ts'
import type { WebSocketConstructor } from './socket.ts'
import { memoryStorage, type MessengerStorage } from './storage.ts'
import { Watch } from './watch.ts'
import type {
  FrameOf,
  Hello,
  Message,
  OutboxEntry,
  Receipt,
  SendRequest,
  ServerFrame,
  Session,
} from './types.ts'

export type MessengerOptions = Partial<Credentials> & {
  /** The server's address, as in `http://localhost:3000`; in a page the page's own is the default. */
  url?: string | undefined
  /** What `login()` gave. Or `username` (and `password`): then a session that has ended is begun anew. */
  session?: Session | undefined
  /** Keeps cursor and outbox; by default in memory only. */
  storage?: MessengerStorage
  /** For a runtime without one, as Node.js 20 and 21: that of the package `ws`. */
  WebSocket?: WebSocketConstructor
  fetch?: Fetch
  /** Milliseconds between attempts: a random part of `min`, which doubles up to `max`. */
  backoff?: { min: number; max: number }
  /** Milliseconds in which a connection must be open and a token renewed; 10,000 by default. */
  timeout?: number
}

export type ConnectOptions = {
  /**
   * Where the stream goes on: the `cursor` of what was loaded by HTTP. By default the one that the storage kept. While
   * there is a connection it changes nothing; of several that are given before, the last counts.
   */
  cursor?: string | undefined
}

/** Milliseconds between two `typing` of a conversation: more the server does not pass on. */
const TYPING_PAUSE = 3000

/** One user's connection to a server, which comes back by itself. */
export class Messenger {
  /** The HTTP calls, with this client's token; see `unwrap`. */
  readonly api: Api
  readonly #url: string
  readonly #storage: MessengerStorage
  readonly #session: SessionKeeper
  readonly #feed: Feed
  readonly #courier: Courier
  readonly #link: Link
  readonly #watch = new Watch((frame) => this.#link.send(frame))
  readonly #closing = new AbortController()
  readonly #typed = new Map<number, number>()
  #loading: Promise<void> | undefined
  #closed: Promise<void> | undefined
  #storing: Promise<void> = Promise.resolve()
  #owner: string | undefined
  #cursor: string | undefined
  #isReset = false
  /** The id of the newest message that was handed over. */
  #newest = 0
  #hello: Hello | undefined

  /** @throws MessengerError `INVALID_OPTION` for a `url` that is missing or no address of a server */
  constructor(options: MessengerOptions = {}) {
    const { fetch = globalFetch, backoff = { min: 500, max: 30_000 }, timeout = 10_000 } = options
    const { username, password, session } = options
    this.#url = serverUrl(options.url)
    this.#storage = options.storage ?? memoryStorage()
    this.#feed = new Feed((cursor) => this.#store(() => this.#storage.setCursor(cursor)))
    const { signal } = this.#closing
    const untilClosed: Fetch = (request) =>
      fetch(new Request(request, { signal: AbortSignal.any([request.signal, signal]) }))
    this.api = createApi(this.#url, untilClosed, () => this.session?.token)
    this.#session = new SessionKeeper(this.api, {
      session,
      credentials: username === undefined ? undefined : { username, password },
      signal: () => AbortSignal.timeout(timeout),
      onSession: (session) => this.#feed.emit({ type: 'session', session }),
    })
    this.#courier = new Courier({
      sent: (client_id, message) => this.#left(client_id, { type: 'sent', client_id, message }),
      refused: (entry, error) => this.#left(entry.client_id, { type: 'send_failed', entry, error }),
    })
    this.#link = new Link({
      url: this.#url,
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      backoff,
      timeout,
      session: this.#session,
      cursor: () => this.#cursor,
      prepare: () => this.#own(),
      onFrame: (frame) => this.#receive(frame),
      onLost: () => {
        this.#isReset = false
        this.#watch.lost()
        this.#courier.lost()
      },
      onState: (event) => this.#feed.emit(event),
    })
  }

  get state(): State {
    return this.#link.state
  }

  /** The session as it is now; absent before the first login. */
  get session(): Session | undefined {
    return this.#session.current
  }

  /** What the server said at the last connection: who I am, its limits. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** Messages that are not stored yet, oldest first. */
  get outbox(): readonly OutboxEntry[] {
    return this.#courier.entries
  }

  /** @returns what takes the listener away. What nobody listens to when it comes is gone: listen before `connect()`. */
  on<T extends EventType>(type: T, listener: (event: Events[T]) => void): () => void {
    return this.#feed.on(type, listener)
  }

  /**
   * @returns every event from now on, for `for await`, until `close()`. The cursor that is kept moves with what was
   *   taken: an event counts as seen when the next one is asked for.
   */
  events(): AsyncIterableIterator<MessengerEvent> {
    return this.#feed.iterate()
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<MessengerEvent> {
    return this.events()
  }

  /**
   * Connects, and stays connected until `close()`. While it waits for its next attempt: tries now.
   * @returns a promise for the first `hello`; until it comes the event `state` says why an attempt failed
   * @throws MessengerError where no attempt would help: `SIGNED_OUT`, `PASSWORD_REQUIRED`, `CLOSED`, …
   */
  async connect({ cursor }: ConnectOptions = {}): Promise<void> {
    await this.#load()
    if (cursor !== undefined && !this.#link.isOpen) {
      this.#cursor = cursor
      this.#newest = 0
    }
    await this.#link.connect()
  }

  /**
   * Sends a message once, however often the connection is lost on the way; those to one conversation in their order.
   * @param request without a `client_id` gets one; with one that is in the outbox already it is the same message
   * @returns the message as it is stored
   * @throws MessengerError with the server's problem where it will not take it; `CLOSED` (it stays in the storage)
   */
  async send(request: SendRequest): Promise<Message> {
    await this.#load()
    const entry = { ...request, client_id: request.client_id ?? newClientId() }
    const sent = this.#courier.add(entry)
    this.#feed.emit({ type: 'outbox' })
    this.#store(
      () => this.#storage.put(entry),
      (error) =>
        error ? this.#courier.notKept(entry.client_id, error) : this.#courier.kept(entry.client_id),
    )
    return sent
  }

  /** Replaces the content of my message. */
  async edit(message_id: number, content: string): Promise<Message> {
    return (await this.#courier.ask({ type: 'edit', message_id, content })).message as Message
  }

  /** Empties my message; it keeps its place. */
  async delete(message_id: number): Promise<Message> {
    return (await this.#courier.ask({ type: 'delete', message_id })).message as Message
  }

  /** Moves my marks in a conversation forward: what this device has, and what I have read. */
  async mark(
    conversation_id: number,
    marks: { delivered_up_to?: number; read_up_to?: number },
  ): Promise<Receipt> {
    return (await this.#courier.ask({ type: 'receipt', conversation_id, ...marks })).receipt as Receipt
  }

  /** Tells the others of a conversation that I am typing: may be called at each key; lost without a connection. */
  typing(conversation_id: number): void {
    const now = performance.now()
    if (now - (this.#typed.get(conversation_id) ?? Number.NEGATIVE_INFINITY) < TYPING_PAUSE) return
    this.#typed.set(conversation_id, now)
    this.#link.send({ type: 'typing', conversation_id })
  }

  /** Replaces the list of people whose `presence` is told, now and after each reconnection. */
  watch(usernames: readonly string[]): void {
    this.#watch.set(usernames)
  }

  /** Ends my token (everywhere: all of my tokens) and closes. */
  async logout({ everywhere = false }: { everywhere?: boolean } = {}): Promise<void> {
    await unwrap(this.api.POST('/logout', { params: { query: { everywhere } } }))
    await this.close()
  }

  /** Leaves nothing behind: no timer, no socket. What was not sent stays in the storage. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const error = closed()
    this.#courier.close(error)
    const ended = this.#link.close(error)
    this.#feed.end()
    this.#closing.abort(error)
    await ended
    await this.#storing
    await this.#storage.close?.()
  }

  #load(): Promise<void> {
    if (this.state === 'closed') return Promise.reject(closed())
    this.#loading ??= (async () => {
      const { owner, cursor, outbox } = await this.#storage.load()
      this.#owner = owner
      this.#cursor = cursor
      for (const entry of outbox) {
        this.#courier.add(entry).catch(() => {})
        this.#courier.kept(entry.client_id)
      }
    })()
    return this.#loading
  }

  /** What is kept for one user must not be sent by another. */
  #own() {
    const me = `${this.#url}/users/${this.session?.user.id}`
    if (this.#owner === undefined) this.#store(() => this.#storage.setOwner(me))
    else if (this.#owner !== me) {
      throw new MessengerError('STORAGE_IN_USE', `The storage is that of ${this.#owner}.`)
    }
    this.#owner = me
  }

  #store(work: () => void | Promise<void>, then: (error?: MessengerError) => void = () => {}) {
    const done = (async () => work())().then(
      () => then(),
      (cause) => {
        const error = new MessengerError('STORAGE', 'The storage would not keep something.', { cause })
        this.#feed.emit({ type: 'storage_failed', error })
        then(error)
      },
    )
    this.#storing = this.#storing.then(() => done)
  }

  #receive(frame: ServerFrame) {
    switch (frame.type) {
      case 'hello':
        this.#begin(frame)
        break
      case 'message':
        this.#deliver(frame)
        break
      case 'conversation':
        this.#courier.learn(frame.peer, frame.conversation_id)
        this.#advance(frame)
        break
      case 'message_updated':
      case 'receipt':
      case 'typing':
      case 'presence':
        this.#advance(frame)
        break
      case 'caught_up':
        this.#advance(frame)
        this.#link.setState('online')
        break
      case 'ack':
        this.#acknowledged(frame)
        break
      case 'error':
        if (frame.id !== undefined) {
          this.#watch.refused(frame)
          this.#courier.refused(frame)
        } else if (frame.problem.code === 'CURSOR_UNKNOWN') this.#isReset = true
    }
  }

  #begin(hello: Hello) {
    const { cursor } = hello
    const isResumed = this.#cursor !== undefined && !this.#isReset
    this.#hello = hello
    this.#cursor = cursor
    if (this.#isReset) {
      // Another database: its ids are others.
      this.#newest = 0
      this.#isReset = false
      this.#feed.emit({ type: 'reset', cursor }, cursor)
    } else if (!isResumed) this.#store(() => this.#storage.setCursor(cursor))
    this.#link.setState(isResumed ? 'catching_up' : 'online')
    this.#watch.ask()
    this.#courier.open(hello.limits, (frame) => this.#link.send(frame))
  }

  #advance(event: MessengerEvent & { cursor?: string }) {
    this.#cursor = event.cursor ?? this.#cursor
    this.#feed.emit(event, event.cursor)
  }

  /** Hands a message over, once: ids rise on every stream. */
  #deliver(frame: FrameOf<'message'>) {
    const isToMe = frame.receiver_id === this.#hello?.user.id
    this.#courier.learn(isToMe ? frame.sender : frame.receiver, frame.conversation_id)
    if (frame.id <= this.#newest) return
    this.#newest = frame.id
    this.#advance(frame)
  }

  /** This socket's own change has its ack where other sockets have an event. */
  #acknowledged(ack: FrameOf<'ack'>) {
    const { cursor, message, receipt } = ack
    // Without a cursor it comes in its place later, or has come.
    if (cursor !== undefined) {
      if (receipt) this.#advance({ type: 'receipt', cursor, ...receipt })
      else if (message && this.#courier.isMessage(ack.id))
        this.#deliver({ type: 'message', cursor, ...message })
      else if (message) this.#advance({ type: 'message_updated', cursor, ...message })
    }
    this.#courier.acknowledged(ack)
  }

  /** A message left the outbox. */
  #left(client_id: string, event: Events['sent'] | Events['send_failed']) {
    this.#store(() => this.#storage.remove(client_id))
    this.#feed.emit(event)
    this.#feed.emit({ type: 'outbox' })
  }
}

const closed = () => new MessengerError('CLOSED', 'This client was closed.')
