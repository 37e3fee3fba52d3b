import { MessengerError } from './error.ts'
import type { ClientFrame, Hello, ServerFrame } from './types.ts'

/** The part of the WebSocket interface that this client uses. The package `ws` and all browsers have it. */
export type WebSocketLike = {
  send(data: string): void
  close(code?: number, reason?: string): void
  /** Only in `ws`: closes the TCP connection without a closing handshake. */
  terminate?(): void
  addEventListener(type: 'message' | 'close' | 'error', listener: (event: any) => void): void
}
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

export type SocketEnd = {
  /** The close code; 1006 if the other side sent none. */
  code: number
  /** Whether `hello` was received. */
  wasOpen: boolean
}

type SocketOptions = {
  url: string
  token: string
  cursor: string | undefined
  WebSocket: WebSocketConstructor
  /** Milliseconds until `hello` must have come. */
  timeout: number
  onFrame: (frame: ServerFrame) => void
  /** Called exactly once. No `onFrame` follows. */
  onEnd: (end: SocketEnd) => void
}

/** Milliseconds to wait for the reply to a close frame. */
const CLOSE_TIMEOUT = 1000
/** Milliseconds to wait for the reply to the ping of `probe()`. */
const PROBE_TIMEOUT = 5000

/** One WebSocket connection of the subprotocol `messenger.v1`: its handshake, its heartbeat and its end. */
export class Socket {
  readonly #socket: WebSocketLike
  readonly #onEnd: (end: SocketEnd) => void
  readonly #closed: Promise<void>
  #wasOpen = false
  #isEnded = false
  /** Whether a frame was received since the last ping. */
  #isAlive = true
  #isProbing = false
  /** Milliseconds between two pings. */
  #heartbeat = 0
  #timer: ReturnType<typeof setTimeout>

  /** @throws MessengerError `INVALID_OPTION` if the runtime refuses the URL, the token or the constructor. */
  constructor({ url, token, cursor, WebSocket, timeout, onFrame, onEnd }: SocketOptions) {
    this.#onEnd = onEnd
    const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
    const protocols = ['messenger.v1', `bearer.${token}`]
    this.#socket = open(WebSocket, `${url.replace(/^http/i, 'ws')}/ws${query}`, protocols)
    this.#socket.addEventListener('message', ({ data }: { data: string }) => {
      if (this.#isEnded) return
      this.#isAlive = true
      const frame = JSON.parse(data) as ServerFrame
      if (frame.type === 'hello') this.#start(frame)
      onFrame(frame)
    })
    this.#closed = new Promise((resolve) => {
      this.#socket.addEventListener('close', ({ code }: { code: number }) => {
        this.#end(code)
        resolve()
      })
    })
    // `close` follows each `error`. Without a listener for `error`, `ws` throws it.
    this.#socket.addEventListener('error', () => {})
    this.#timer = setTimeout(() => this.terminate(), timeout)
  }

  /** Sends a frame. Does nothing after the end of the connection. */
  send(frame: ClientFrame) {
    if (!this.#isEnded) this.#socket.send(JSON.stringify(frame))
  }

  /** Ends the connection at once, without a closing handshake. Later frames are ignored. */
  terminate() {
    this.#end(1006)
    this.#discard()
  }

  /**
   * Sends a ping. Terminates the connection if nothing is received within 5 seconds, or one heartbeat if that is less.
   */
  probe() {
    if (!this.#wasOpen || this.#isEnded || this.#isProbing) return
    this.#isProbing = true
    this.#ping(Math.min(PROBE_TIMEOUT, this.#heartbeat))
  }

  /** Ends the connection with a closing handshake. Resolves after the reply, or after 1 second without one. */
  async close(): Promise<void> {
    this.#end(1000)
    this.#socket.close(1000)
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT)
    })
    await Promise.race([this.#closed, timeout])
    clearTimeout(timer)
    this.#discard()
  }

  #start({ heartbeat_ms }: Hello) {
    this.#wasOpen = true
    this.#heartbeat = heartbeat_ms
    this.#checkIn(heartbeat_ms)
  }

  #check() {
    if (!this.#isAlive) {
      this.terminate()
      return
    }
    this.#isProbing = false
    this.#ping(this.#heartbeat)
  }

  #ping(timeout: number) {
    this.#isAlive = false
    this.send({ type: 'ping' })
    this.#checkIn(timeout)
  }

  #checkIn(ms: number) {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#check(), ms)
  }

  #discard() {
    if (this.#socket.terminate) this.#socket.terminate()
    else this.#socket.close()
  }

  #end(code: number) {
    if (this.#isEnded) return
    this.#isEnded = true
    clearTimeout(this.#timer)
    this.#onEnd({ code, wasOpen: this.#wasOpen })
  }
}

const open = (WebSocket: WebSocketConstructor, url: string, protocols: string[]): WebSocketLike => {
  try {
    return new WebSocket(url, protocols)
  } catch (cause) {
    const { message } = cause as Error
    throw new MessengerError(
      'INVALID_OPTION',
      `The WebSocket cannot be created: ${message}. Check \`url\`, \`session\` and \`WebSocket\`.`,
      { cause },
    )
  }
}
