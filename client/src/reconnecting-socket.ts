import { asMessengerError, MessengerError } from './error.ts'
import type { Events, State } from './events.ts'
import { closeCodes } from './generated/close-codes.ts'
import { watchNetwork } from './network-events.ts'
import type { SessionManager } from './session-manager.ts'
import { Socket, type SocketEnd, type WebSocketConstructor } from './socket.ts'
import type { ClientFrame, Hello, ServerFrame } from './types.ts'

type Options = {
  url: string
  /** `undefined` if the runtime has none. */
  WebSocket: WebSocketConstructor | undefined
  /** Milliseconds between attempts: a random part of `min`, which doubles with each failure up to `max`. */
  backoff: { min: number; max: number }
  /** Milliseconds until a new connection must have received `hello`. */
  timeout: number
  session: SessionManager
  /** Returns the cursor at which the next connection resumes the stream. */
  cursor: () => string | undefined
  /** Called after the login and before each connection. If it throws, that connection is not opened. */
  beforeConnect: () => void
  onFrame: (frame: ServerFrame) => void
  onDisconnect: () => void
  onState: (event: Events['state']) => void
}

type Waiter = { resolve: () => void; reject: (error: MessengerError) => void }

/**
 * Keeps a connection open: after each loss it opens the next socket, by the reconnect rule of the close code. It stops
 * at `close()`, or at an error that a retry cannot solve.
 */
export class ReconnectingSocket {
  state: State = 'idle'
  readonly #options: Options
  #socket: Socket | undefined
  /** The cursor of the current socket. */
  #cursor: string | undefined
  /** The current socket was replaced because the cursor changed. */
  #isReplaced = false
  /** The `hello` of the current socket, once it was received. */
  #hello: Hello | undefined
  #running: Promise<void> | undefined
  /** Why the client makes no further attempts. */
  #stopped: MessengerError | undefined
  #waiters: Waiter[] = []
  #endPause = () => {}
  #skipsNextPause = false
  #endRenewals = () => {}

  constructor(options: Options) {
    this.#options = options
  }

  get isOpen() {
    return this.#hello !== undefined
  }

  /**
   * Starts to connect. If the client waits for its next attempt, it makes the attempt at once.
   * @returns a promise that resolves with the first `hello` of a stream that starts at the current cursor
   * @throws MessengerError if a retry cannot succeed, or after `close()`
   */
  async connect(): Promise<void> {
    if (this.#hello) return
    if (this.state === 'closed') throw this.#stopped as MessengerError
    if (!this.#options.WebSocket) throw noWebSocket()
    this.#stopped = undefined
    if (this.#socket && this.#cursor !== this.#options.cursor()) {
      // The stream of the current socket would start at another cursor and miss the events between the two.
      this.#isReplaced = true
      this.#socket.terminate()
    }
    await new Promise<void>((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
      this.#endPause()
      this.#running ??= this.#run()
    })
  }

  /** Sends a frame. Drops it without a connection. */
  send(frame: ClientFrame) {
    if (this.#hello) this.#socket?.send(frame)
  }

  setState(state: State, details: Omit<Events['state'], 'type' | 'state'> = {}) {
    this.state = state
    this.#options.onState({ type: 'state', state, ...details })
  }

  /** Ends the connection, if there is one, and makes no further attempt before the next `connect()`. */
  stop(error: MessengerError) {
    if (this.#stopped) return
    this.#stopped = error
    this.#socket?.terminate()
    this.#endPause()
    this.setState('stopped', { error })
    this.#rejectWaiters(error)
  }

  /** Closes the connection for good. @param error rejects all pending and later calls of `connect()`. */
  async close(error: MessengerError): Promise<void> {
    this.#stopped = error
    this.setState('closed')
    this.#endPause()
    this.#rejectWaiters(error)
    await this.#socket?.close()
    await this.#running
  }

  async #run(): Promise<void> {
    const unwatch = watchNetwork({
      onOffline: () => this.#socket?.terminate(),
      onWake: () => this.#wake(),
    })
    const { min, max } = this.#options.backoff
    let failures = 0
    while (!this.#stopped) {
      let retryAfter = 0
      let error: MessengerError | undefined
      try {
        const duration = await this.#connectOnce()
        // A connection that outlasts the longest pause was stable: the next loss starts with the shortest one.
        failures = duration > max ? 0 : failures + 1
      } catch (cause) {
        error = asMessengerError(cause)
        if (!error.retryable) this.stop(error)
        retryAfter = error.retryAfter ?? 0
        failures += 1
      }
      const exponent = Math.max(0, failures - 1)
      const wait = Math.random() * Math.min(max, min * 2 ** exponent) + retryAfter * 1000
      // The network may have changed, so the earlier failures do not count.
      if (!this.#stopped && (await this.#pause(wait, error))) failures = 0
    }
    unwatch()
    this.#running = undefined
  }

  /** Checks an open connection, or makes the next attempt at once: the network may be back. */
  #wake() {
    if (this.#hello) this.#socket?.probe()
    else {
      this.#skipsNextPause = true
      this.#endPause()
    }
  }

  /** Logs in, connects, and waits for the end of the connection. @returns its duration in milliseconds. */
  async #connectOnce(): Promise<number> {
    const { session, beforeConnect } = this.#options
    this.setState('connecting')
    await session.ensure()
    beforeConnect()
    if (this.#stopped) return 0
    const started = performance.now()
    let end = await this.#useSocket()
    while (this.#isReplaced && !this.#stopped) end = await this.#useSocket()
    const duration = end.wasOpen ? performance.now() - started : 0
    if (!this.#stopped) await this.#handleEnd(end)
    return duration
  }

  /** Opens a socket. @returns a promise of its end. */
  #useSocket(): Promise<SocketEnd> {
    const { url, timeout, session, cursor, onFrame, onDisconnect } = this.#options
    const WebSocket = this.#options.WebSocket as WebSocketConstructor
    this.#isReplaced = false
    this.#cursor = cursor()
    return new Promise((resolve) => {
      this.#socket = new Socket({
        url,
        token: session.current?.token as string,
        cursor: this.#cursor,
        WebSocket,
        timeout,
        onFrame: (frame) => {
          if (frame.type === 'hello') this.#handleHello(frame)
          onFrame(frame)
        },
        onEnd: (end) => {
          this.#endRenewals()
          this.#socket = undefined
          this.#hello = undefined
          onDisconnect()
          resolve(end)
        },
      })
    })
  }

  #handleHello(hello: Hello) {
    this.#hello = hello
    this.#skipsNextPause = false
    // The server closes the connection when its token expires, unless it has received a newer one.
    this.#endRenewals = this.#options.session.keepRenewed(
      (token) => this.send({ type: 'auth', token }),
      (error) => this.stop(error),
    )
    for (const { resolve } of this.#waiters.splice(0)) resolve()
  }

  /** Applies the reconnect rule of the close code. @throws MessengerError if the client must not reconnect now. */
  async #handleEnd({ code, wasOpen }: SocketEnd): Promise<void> {
    const { session } = this.#options
    const known = (closeCodes as Partial<Record<number, (typeof closeCodes)[keyof typeof closeCodes]>>)[code]
    if (known?.reconnect === 'renew') await session.replace()
    // The error of the call has the reason and the end of the suspension. If it has ended already, the client reconnects.
    else if (known?.name === 'suspended') await session.verify()
    else if (known?.reconnect === 'fix') {
      throw new MessengerError(
        'CLOSED_BY_SERVER',
        `The server closed the connection with code ${code} (${known.name}): ${known.why}. ` +
          'Remove the cause before you connect again.',
      )
    }
    // Browsers do not report the status of a failed handshake. An HTTP call shows whether the token was the cause.
    if (!known && !wasOpen && (await session.verify())) {
      throw new MessengerError(
        'NETWORK',
        `The server answers HTTP calls, but the WebSocket handshake at ${this.#options.url}/ws failed. If there is a ` +
          'proxy, configure it to forward the headers Upgrade and Connection.',
        { retryable: true },
      )
    }
  }

  /** Waits before the next attempt. @returns whether the wait ended early. */
  async #pause(ms: number, error: MessengerError | undefined): Promise<boolean> {
    this.setState('waiting', { retry_in_ms: Math.round(ms), ...(error && { error }) })
    const isEndedEarly = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), ms)
      this.#endPause = () => {
        clearTimeout(timer)
        resolve(true)
      }
      if (this.#skipsNextPause) this.#endPause()
    })
    this.#skipsNextPause = false
    return isEndedEarly
  }

  #rejectWaiters(error: MessengerError) {
    for (const { reject } of this.#waiters.splice(0)) reject(error)
  }
}

const noWebSocket = () =>
  new MessengerError(
    'INVALID_OPTION',
    'This runtime has no WebSocket. Use Node.js 22 or newer, or pass the one of the package ws: ' +
      "import { WebSocket } from 'ws'; new Messenger({ url, username, WebSocket }).",
  )
