import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { Identity } from '../chat/context.ts'
import { createReplay } from '../chat/replay.ts'
import { asAppError } from '../chat/failures.ts'
import { type CloseCode, closeCodes } from '../close-codes.ts'
import { type AppError, errorInfo, errors, internal } from '../errors.ts'
import { problem } from '../problem.ts'
import { Encoded } from './encoding.ts'
import { handleFrame } from './commands.ts'
import { textFrame } from './framing.ts'
import type { SocketServer } from './socket-server.ts'

/** Bytes that a replay leaves queued before it waits for them to drain. */
export const REPLAY_BUFFER = 65_536
const BAD_FRAMES = 10
const BAD_FRAMES_MS = 60_000

type Place = { id: string; slot: number }

/** One socket: where it is in its stream, and what it may still do. */
export class Connection {
  readonly id: string
  readonly isPlain: boolean
  me: Identity
  /** In which of the turns of a heartbeat this socket has its own. */
  readonly slot: number
  /** Whether anything was heard since the last heartbeat. */
  isAlive = true
  #state: 'replaying' | 'live' | 'closed'
  /** All numbers up to it were sent, or are no concern of this socket. */
  #position: number
  readonly #server: SocketServer
  readonly #socket: WebSocket
  readonly #tcp: Socket
  /** Frames whose answer is still to come. */
  #answering = 0
  /** With which code it closes once all is answered; it is no longer read. */
  #finishCode: CloseCode | undefined
  #isCorked = false
  /** What was read and waits for a turn, the next one at `#handled`. */
  #inbox: Buffer[] = []
  #handled = 0
  #readAt = 0
  #isOverBudget = false
  /** Set while the token ends before the next heartbeat. */
  #tokenTimer: NodeJS.Timeout | undefined
  #tokens: number
  #refilled = 0
  #floodSince = 0
  #badFrames: number[] | undefined

  constructor(server: SocketServer, socket: WebSocket, tcp: Socket, me: Identity, { id, slot }: Place) {
    this.#server = server
    this.#socket = socket
    this.#tcp = tcp
    this.me = me
    this.id = id
    this.slot = slot
    this.isPlain = socket.protocol === ''
    this.#state = 'live'
    this.#position = server.hub.head
    this.#tokens = server.config.SOCKET_FRAMES_PER_SECOND * 2
    socket.on('message', (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary))
    socket.on('pong', () => {
      this.isAlive = true
    })
    socket.on('ping', () => this.#answerPing())
    socket.on('close', () => this.#end())
    // A broken frame or a reset: ws closes by itself, with the code that says why.
    socket.on('error', (error) => this.#breach(error))
    this.#watchToken()
  }

  /** Goes on with another token of the same user. */
  renew(me: Identity) {
    this.me = me
    this.#watchToken()
  }

  /** Tells a change, if it is past what this socket has. */
  deliver(encoded: Encoded) {
    if (this.#state !== 'live') return
    const { change } = encoded
    /* c8 ignore next -- whether a cursor of /sync is ahead of the hub is a race */
    if (change.number <= this.#position) return
    this.#position = change.number
    const { origin, event } = change
    const isAsked = origin?.socket === this.id && event.type !== 'conversation' && !this.isPlain
    if (isAsked && this.#server.answer(origin.question)) {
      this.send(encoded.ack(this.me.user_id, origin.frame))
    } else this.#sendChange(encoded)
  }

  /** Sends what was committed after `after` from the database, then goes on live. */
  async replay(after: number): Promise<void> {
    this.#state = 'replaying'
    this.#position = after
    const { chat, hub } = this.#server
    const replay = createReplay(chat, this.me.user_id, after)
    for (;;) {
      // In one turn with the look at the hub's head: what is committed from now on comes by `deliver`.
      if (replay.position >= hub.head) {
        this.#position = replay.position
        this.#state = 'live'
        if (!this.isPlain) this.sendFrame({ type: 'caught_up', cursor: chat.cursors.format(replay.position) })
        return
      }
      // Thousands of sockets come back in the same turn after a restart.
      await chat.turns.ready()
      const page = await replay.next(this.#server.replayPage, hub.head)
      if (this.#isClosed) return
      for (const { number, event } of page) {
        this.#sendChange(new Encoded({ number, event, audience: [] }, chat.cursors.format(number)))
        // A page of long messages is more than a slow reader may have queued.
        if (this.#tcp.writableLength > REPLAY_BUFFER) await this.#drained()
      }
      await this.#drained()
      if (this.#isClosed) return
    }
  }

  /** A batch of changes was lost on its way: what came after `head` is read from the database. */
  fallBehind(head: number) {
    if (this.#state === 'live') this.replay(Math.max(head, this.#position)).catch((error) => this.fail(error))
  }

  /** Sends what `textFrame` has made, for many or for this one. */
  send(frame: Buffer) {
    // Once `ws` has answered a close nothing may follow it.
    if (this.#isClosed || this.#socket.readyState !== OPEN) return
    if (!this.#isCorked) {
      // All that one turn has for this socket goes out in one system call.
      this.#isCorked = true
      this.#tcp.cork()
      this.#server.flushLater(this)
    }
    this.#tcp.write(frame)
  }

  sendFrame(frame: object) {
    this.send(textFrame(JSON.stringify(frame)))
  }

  /** Tells the client what of it was refused: `frame` is the id that it gave it. */
  refuse(error: AppError, frame?: string) {
    const request_id = `${this.id}-${this.#server.nextRequest()}`
    this.#server.problems.note(error, { reqId: request_id, user_id: this.me.user_id })
    const { retryable = false } = errorInfo(error.code)
    this.sendFrame({
      type: 'error',
      id: frame,
      retryable,
      retry_after: error.retryAfter,
      problem: problem(error, request_id),
    })
  }

  /** Sends what may be lost: to a slow reader it is. A replay leaves room for it. */
  sendDroppable(frame: Buffer) {
    if (this.isPlain) return
    if (this.#tcp.writableLength > this.#server.config.SOCKET_SOFT_LIMIT) {
      this.#server.counts.dropped += 1
      return
    }
    this.send(frame)
  }

  flush() {
    this.#isCorked = false
    this.#tcp.uncork()
    if (this.#tcp.writableLength > this.#server.hardLimit) this.close(4410)
  }

  close(code: CloseCode) {
    /* c8 ignore next -- two reasons in one turn are a race */
    if (this.#isClosed) return
    this.#end()
    this.#server.closed(code)
    // Read on, or the other side's answer to the close is never seen.
    this.#socket.resume()
    this.#socket.close(code, closeCodes[code].name)
  }

  /** What no frame asked for and went wrong ends the socket. */
  fail(cause: unknown) {
    const error = asAppError(cause) ?? internal(cause)
    this.#server.problems.note(error, { socket: this.id, user_id: this.me.user_id })
    this.close(errors.INTERNAL.close)
  }

  /** A heartbeat: who was not heard of since the last one is gone. */
  beat() {
    this.#watchToken()
    if (!this.isAlive && !this.#socket.isPaused) this.close(4408)
    else {
      this.isAlive = false
      this.#socket.ping()
    }
  }

  /** Reads no more, answers what was asked for, then closes. */
  finish(code: CloseCode) {
    this.#finishCode = code
    this.#socket.pause()
    this.#server.presence.watches.unwatch(this)
    if (this.#answering === 0) this.close(code)
  }

  /** Ten frames that were not valid within a minute are enough. */
  countBadFrame() {
    const now = performance.now()
    const recent = (this.#badFrames ?? []).filter((at) => now - at < BAD_FRAMES_MS)
    this.#badFrames = [...recent, now]
    if (this.#badFrames.length >= BAD_FRAMES) this.close(4400)
  }

  get #isClosed() {
    return this.#state === 'closed'
  }

  /** Ends with the token: one that ends before the next heartbeat gets a timer, and the many others need none. */
  #watchToken() {
    clearTimeout(this.#tokenTimer)
    const left = this.me.expires - Date.now()
    if (left > this.#server.config.HEARTBEAT_MS) return
    this.#tokenTimer = setTimeout(() => this.finish(errors.UNAUTHORIZED.close), left).unref()
  }

  #receive(data: Buffer, isBinary: boolean) {
    if (this.#isClosed || this.#finishCode) return
    this.isAlive = true
    this.#server.counts.frames += 1
    // The timer may be late.
    if (this.me.expires <= Date.now()) {
      this.finish(errors.UNAUTHORIZED.close)
      return
    }
    if (isBinary) {
      this.close(1003)
      return
    }
    this.#spendToken()
    if (this.#inbox.length === 0 && this.#server.chat.turns.hasTime) this.#handle(data, 0)
    else if (this.#inbox.push(data) === 1) {
      this.#readAt = performance.now()
      this.#socket.pause()
      this.#server.chat.turns.add(this)
    }
  }

  /** Handles the next frame of those that wait; behind the last one the socket is read again. */
  handleNext(): boolean {
    /* c8 ignore next -- whether frames wait when a socket ends is a race */
    if (this.#isClosed || this.#finishCode) return false
    this.#handle(this.#inbox[this.#handled] as Buffer, performance.now() - this.#readAt)
    this.#handled += 1
    if (this.#handled < this.#inbox.length) return true
    this.#inbox = []
    this.#handled = 0
    this.#readOn()
    return false
  }

  #readOn() {
    if (!this.#finishCode && !this.#isOverBudget && this.#inbox.length === 0) this.#socket.resume()
  }

  #handle(data: Buffer, waited: number) {
    this.#answering += 1
    handleFrame(this.#server, this, data, waited)
      .catch((error) => this.fail(error))
      .finally(() => {
        this.#answering -= 1
        if (this.#finishCode && this.#answering === 0) this.close(this.#finishCode)
      })
  }

  /** ws has closed the socket already, with the code that says why; after a reset there is none to say. */
  #breach(error: Error & { code?: string }) {
    this.#server.log.debug({ err: error, socket: this.id }, 'socket error')
    /* c8 ignore next -- whether the socket was closed by then is a race */
    if (this.#isClosed || !error.code?.startsWith('WS_ERR_')) return
    this.#end()
    this.#server.closed(breaches[error.code] ?? 1002)
  }

  #sendChange(encoded: Encoded) {
    const { user_id } = this.me
    const frame = this.isPlain ? encoded.plain(user_id) : encoded.frame(user_id)
    if (frame) this.send(frame)
  }

  /** ws answers pings by itself: they count like frames, lest one who never reads fills the memory with answers. */
  #answerPing() {
    this.isAlive = true
    /* c8 ignore next -- a ping behind our close is a race */
    if (this.#isClosed) return
    this.#spendToken()
    /* c8 ignore next -- how much the kernel takes of the answers differs */
    if (this.#tcp.writableLength > this.#server.hardLimit) this.close(4410)
  }

  /** Over its budget a socket is not read for a while, and TCP holds back the rest; after SOCKET_FLOOD_MS of that it is closed. */
  #spendToken() {
    const perSecond = this.#server.config.SOCKET_FRAMES_PER_SECOND
    const now = performance.now()
    this.#tokens = Math.min(perSecond * 2, this.#tokens + ((now - this.#refilled) * perSecond) / 1000)
    this.#refilled = now
    if (this.#tokens > perSecond) this.#floodSince = 0
    this.#tokens -= 1
    if (this.#tokens >= 0 || this.#isOverBudget) return
    if (this.#floodSince === 0) this.#floodSince = now
    else if (now - this.#floodSince > this.#server.config.SOCKET_FLOOD_MS) {
      this.close(4429)
      return
    }
    this.#isOverBudget = true
    this.#socket.pause()
    const wait = ((perSecond / 4 - this.#tokens) * 1000) / perSecond
    setTimeout(() => {
      this.#isOverBudget = false
      this.#readOn()
    }, wait).unref()
  }

  /** Resolves when little is queued, or the socket is closed; never in the same turn, so that others have theirs. */
  async #drained() {
    await new Promise((resolve) => setImmediate(resolve))
    while (!this.#isClosed && this.#tcp.writableLength > REPLAY_BUFFER) {
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

  #end() {
    if (this.#isClosed) return
    this.#state = 'closed'
    clearTimeout(this.#tokenTimer)
    this.#server.hub.remove(this)
  }
}

/** What ws closes with, by its names; all others are 1002. */
const breaches: Record<string, CloseCode> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
}

/** `readyState` of a WebSocket that may be written to. */
const OPEN = 1
