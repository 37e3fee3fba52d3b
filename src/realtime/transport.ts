import websocketPlugin from '@fastify/websocket'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { PROTOCOL } from '../../schemas/socket.ts'
import { type CloseCode, closeCodes } from '../close-codes.ts'
import { errors } from '../errors.ts'

/**
 * One open WebSocket. This is the only file in realtime/ that knows `ws`, TCP sockets and the internals of @fastify/websocket.
 */
export type Transport = {
  /** The selected subprotocol; empty for a plain socket. */
  readonly protocol: string
  /** Bytes that were written and that the kernel has not accepted yet. */
  readonly bufferedBytes: number
  readonly isPaused: boolean
  /** Sets the receiver of events. Call it in the tick of the handshake: the first frame may have arrived already. */
  listen(listener: TransportListener): void
  /**
   * Queues a frame that `textFrame` encoded. All frames of one tick leave in one system call at the end of the tick. Does
   * nothing once the socket is closing (RFC 6455, 5.5.1: no data frame follows a close frame).
   */
  write(frame: Buffer): void
  ping(): void
  /** Stops reading. Frames that were read already may still arrive. */
  pause(): void
  resume(): void
  /** Sends a close frame, and ends the connection when the peer answers it or `CLOSE_TIMEOUT` is over. */
  close(code: CloseCode): void
  /** Resolves in a later tick, once at most `bytes` are buffered or the connection has ended. */
  drain(bytes: number): Promise<void>
}

export type TransportListener = {
  onMessage(data: Buffer, isBinary: boolean): void
  /** The transport answers the ping by itself. */
  onPing(): void
  onPong(): void
  /** The frames of a tick were passed to the kernel; `bufferedBytes` is what it did not accept. */
  onFlush(): void
  /** A frame violated RFC 6455. The transport is closing with `code`. */
  onViolation(error: Error, code: CloseCode): void
  /** The connection has ended. Called last. */
  onClose(): void
}

/** Milliseconds that a peer has to answer a close frame. */
const CLOSE_TIMEOUT = 1000

/**
 * Registers @fastify/websocket.
 * @param maxFrameBytes the longest message that a client may send, in bytes
 * @param onInvalidHandshake answers and closes a connection whose handshake `ws` refuses
 */
export const registerWebSockets = async (
  app: FastifyInstance,
  maxFrameBytes: number,
  onInvalidHandshake: (error: Error, tcp: Socket) => void,
) => {
  await app.register(websocketPlugin, {
    options: {
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
      clientTracking: false,
      handleProtocols: (offered: Set<string>) => offered.has(PROTOCOL) && PROTOCOL,
      closeTimeout: CLOSE_TIMEOUT,
      // By default `ws` ends a socket without a code after 60 pings in one tick. Connections count pings as frames instead.
      maxPendingAutoPongs: 0,
    } as object,
    // By default it closes every socket without a code. `SocketServer.stop` closes them.
    preClose: (done) => done(),
    errorHandler: (error, socket, request) => {
      /* c8 ignore next -- the route's handler throws only by a bug, and before anything closes the socket */
      if (socket.readyState !== socket.OPEN) return
      request.log.error({ err: error }, 'The server could not accept a socket.')
      socket.close(errors.INTERNAL.close, closeCodes[errors.INTERNAL.close].name)
    },
  })
  app.websocketServer.on('wsClientError', (error, tcp) => onInvalidHandshake(error, tcp as Socket))
}

/**
 * Detaches the reply from the connection before the upgrade. Saves 3 of 7.2 KB per open socket: the connection would
 * keep its reply, and the reply its request. Call it when nothing can refuse the request any more.
 */
export const detachReply = (request: FastifyRequest, reply: FastifyReply) =>
  reply.raw.detachSocket(request.raw.socket)

/** @param tcp the connection below `socket` */
export const openTransport = (socket: WebSocket, tcp: Socket): Transport => {
  // The error listener of @fastify/websocket keeps request and reply, as above. WebSocketTransport adds its own.
  socket.removeAllListeners('error')
  return new WebSocketTransport(socket, tcp)
}

/** @returns the payload of a text frame: `message` as JSON, encoded once for all sockets that receive it */
export const textFrame = (message: object): Buffer => Buffer.from(JSON.stringify(message))

/** Values of `readyState`. */
const OPEN = 1
const CLOSED = 3

class WebSocketTransport implements Transport {
  readonly #socket: WebSocket
  readonly #tcp: Socket
  #listener!: TransportListener
  #isCorked = false

  constructor(socket: WebSocket, tcp: Socket) {
    this.#socket = socket
    this.#tcp = tcp
  }

  get protocol() {
    return this.#socket.protocol
  }

  get bufferedBytes() {
    return this.#tcp.writableLength
  }

  get isPaused() {
    return this.#socket.isPaused
  }

  listen(listener: TransportListener) {
    this.#listener = listener
    this.#socket.on('message', (data: Buffer, isBinary) => listener.onMessage(data, isBinary))
    this.#socket.on('ping', () => listener.onPing())
    this.#socket.on('pong', () => listener.onPong())
    this.#socket.on('close', () => listener.onClose())
    // `ws` emits no TCP errors, only 'close' after them.
    this.#socket.on('error', (error: Error & { code?: string }) =>
      listener.onViolation(error, violations[error.code as string] ?? 1002),
    )
  }

  /**
   * Corks the TCP socket until the end of the tick. With 8 frames of 300 bytes per socket and tick this takes 1.9 instead of
   * 3.0 µs of processor time per frame, both ends of a loopback connection included. With 1 or 2 frames it costs nothing.
   */
  write(frame: Buffer) {
    if (this.#socket.readyState !== OPEN) return
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#tcp.cork()
      flushLater(this)
    }
    this.#socket.send(frame, { binary: false })
  }

  flush() {
    this.#isCorked = false
    this.#tcp.uncork()
    this.#listener.onFlush()
  }

  ping() {
    this.#socket.ping()
  }

  pause() {
    this.#socket.pause()
  }

  resume() {
    this.#socket.resume()
  }

  close(code: CloseCode) {
    // A paused socket would never read the peer's close frame.
    this.#socket.resume()
    this.#socket.close(code, closeCodes[code].name)
  }

  async drain(bytes: number) {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#socket.readyState !== CLOSED && this.#tcp.writableLength > bytes) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#tcp.off('drain', done)
          this.#socket.off('close', done)
          resolve()
        }
        this.#tcp.on('drain', done)
        this.#socket.on('close', done)
      })
    }
  }
}

/** Close codes of `ws` by its error codes; all others are 1002. */
const violations: Record<string, CloseCode> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
}

/** Transports that were written to in this tick. */
const corked: WebSocketTransport[] = []

const flushLater = (transport: WebSocketTransport) => {
  if (corked.push(transport) === 1) process.nextTick(flushAll)
}

const flushAll = () => {
  for (const transport of corked.splice(0)) transport.flush()
}
