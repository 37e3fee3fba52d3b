import type { Identity } from '../chat/context.ts'
import { createReplay } from '../chat/replay.ts'
import { asAppError } from '../chat/failures.ts'
import { cursorUnknown } from '../chat/sync.ts'
import type { CloseCode } from '../close-codes.ts'
import { errors, internal } from '../errors.ts'
import type { Waiting } from '../load/turns.ts'
import type { ConnectionServer } from './connection-server.ts'
import { Encoded } from './encoding.ts'
import { FrameBudget } from './frame-budget.ts'
import { createHello } from './hello.ts'
import { Requests } from './requests.ts'
import type { Subscriber } from './subscriber.ts'
import { type Transport, type TransportListener, textFrame } from './transport.ts'

/** Bytes that a replay may leave buffered before it waits for the client to read. */
export const REPLAY_BUFFER = 65_536

/** Where a stream starts: after the number of the client's cursor; `unknown` for an unknown cursor; else at the head. */
export type Start = { cursor: string; after: number } | 'unknown' | undefined

/** Frames that were read and wait for a turn of the event loop. */
type Inbox = { frames: Buffer[]; next: number; readAt: number }

/** The protocol of one socket: its position in the event stream, its requests and its limits. */
export class Connection implements Subscriber, TransportListener, Waiting {
  readonly id: string
  readonly heartbeatTick: number
  /** Whether the socket has no subprotocol: it receives direct messages only. */
  readonly isPlain: boolean
  me: Identity
  readonly #server: ConnectionServer
  readonly #transport: Transport
  readonly #requests: Requests
  /** Created by the first frame. Saves 150 bytes per idle socket. */
  #budget: FrameBudget | undefined
  #state: 'replaying' | 'live' | 'closed' = 'live'
  /** Changes up to this number were sent or do not concern this user. */
  #position: number
  #inbox: Inbox | undefined
  /** The connection is no longer read, and closes with this code once every request is answered. */
  #finishCode: CloseCode | undefined
  /** Whether anything was received since the last heartbeat. */
  #isAlive = true
  #tokenTimer: NodeJS.Timeout | undefined

  constructor(
    server: ConnectionServer,
    transport: Transport,
    me: Identity,
    id: string,
    heartbeatTick: number,
  ) {
    this.#server = server
    this.#transport = transport
    this.me = me
    this.id = id
    this.heartbeatTick = heartbeatTick
    this.isPlain = transport.protocol === ''
    this.#position = server.hub.head
    this.#requests = new Requests(server, this)
    transport.listen(this)
    this.#watchToken()
  }

  /** Sends `hello`, and after a reconnection the missed events. */
  start(start: Start) {
    // The token may have ended between its verification and this call.
    const verified = this.#recheckToken()
    if (this.isPlain) return
    const { chat, config, hub } = this.#server
    if (start === 'unknown') this.#requests.refuse(cursorUnknown(chat.cursors.format(hub.head)))
    const isResumed = start !== undefined && start !== 'unknown'
    this.send(createHello(config, this.me, isResumed ? start.cursor : chat.cursors.format(hub.head)))
    if (isResumed) this.#startReplay(start.after, verified, start.cursor)
  }

  /** Replaces the token by another one of the same user. */
  renew(me: Identity) {
    this.me = me
    this.#watchToken()
    void this.#recheckToken()
  }

  deliver(encoded: Encoded) {
    if (this.#state !== 'live') return
    const { number, origin, event } = encoded
    /* c8 ignore next -- whether a cursor of /sync is ahead of the hub is a race */
    if (number <= this.#position) return
    this.#position = number
    const isRequested = origin?.connection_id === this.id && event.type !== 'conversation' && !this.isPlain
    // With a bus that delivers later, the request was answered without a cursor, and its event follows.
    if (isRequested && this.#requests.settle(origin.request_id)) {
      this.#transport.write(encoded.ack(this.me.user_id, origin.frame_id))
    } else this.#sendEvent(encoded)
  }

  send(frame: object) {
    this.#transport.write(textFrame(frame))
  }

  sendDroppable(frame: Buffer) {
    if (this.isPlain) return
    if (this.#transport.bufferedBytes > this.#server.config.SOCKET_SOFT_LIMIT) {
      this.#server.counts.dropped += 1
      return
    }
    this.#transport.write(frame)
  }

  replayAfter(head: number) {
    const verified = this.#recheckToken()
    // A running replay reads up to the head of the hub anyway. A socket may be ahead of the hub by its cursor.
    if (this.#state === 'live' && this.#position < this.#server.hub.head)
      this.#startReplay(Math.max(head, this.#position), verified)
  }

  beat() {
    this.#watchToken()
    if (!this.#isAlive && !this.#transport.isPaused) this.close(4408)
    else {
      this.#isAlive = false
      this.#transport.ping()
    }
  }

  finish(code: CloseCode) {
    this.#finishCode = code
    this.#transport.pause()
    this.#server.presence.watches.unwatch(this)
    this.#closeIfAnswered()
  }

  fail(cause: unknown) {
    const error = asAppError(cause) ?? internal(cause)
    this.#server.problems.note(error, { socket: this.id, user_id: this.me.user_id })
    this.close(errors.INTERNAL.close)
  }

  /** Closes at once, without answers to open requests. */
  close(code: CloseCode) {
    /* c8 ignore next -- two reasons in one turn are a race */
    if (this.#isClosed) return
    this.#end()
    this.#server.countClose(code)
    this.#transport.close(code)
  }

  onMessage(data: Buffer, isBinary: boolean) {
    if (this.#isClosed || this.#finishCode) return
    this.#isAlive = true
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
    this.#spendFrame()
    if (this.#isClosed) return
    if (this.#inbox) this.#inbox.frames.push(data)
    else if (this.#server.chat.turns.hasTime) this.#handle(data, 0)
    else {
      this.#inbox = { frames: [data], next: 0, readAt: performance.now() }
      this.#transport.pause()
      this.#server.chat.turns.add(this.me.user_id, this)
    }
  }

  /** Handles the next frame of the inbox. Reading resumes when the inbox is empty. */
  handleNext(): boolean {
    const inbox = this.#inbox as Inbox
    /* c8 ignore next -- whether frames wait when a socket ends is a race */
    if (this.#isClosed || this.#finishCode) return false
    this.#handle(inbox.frames[inbox.next] as Buffer, performance.now() - inbox.readAt)
    inbox.next += 1
    if (inbox.next < inbox.frames.length) return true
    this.#inbox = undefined
    this.#resumeReading()
    return false
  }

  /** Pings count as frames, because their answers fill the send buffer of a client that does not read. */
  onPing() {
    this.#isAlive = true
    /* c8 ignore next -- a ping behind our close is a race */
    if (this.#isClosed) return
    this.#spendFrame()
    /* c8 ignore next -- how many answers the kernel accepts differs */
    if (this.#transport.bufferedBytes > this.#server.hardLimit) this.close(4410)
  }

  onPong() {
    this.#isAlive = true
  }

  onFlush() {
    if (this.#transport.bufferedBytes > this.#server.hardLimit) this.close(4410)
  }

  onViolation(error: Error, code: CloseCode) {
    this.#server.log.debug({ err: error, socket: this.id }, 'A frame violated RFC 6455.')
    /* c8 ignore next -- whether the socket was closed by then is a race */
    if (this.#isClosed) return
    this.#end()
    this.#server.countClose(code)
  }

  onClose() {
    this.#end()
  }

  get #isClosed() {
    return this.#state === 'closed'
  }

  #end() {
    if (this.#isClosed) return
    this.#state = 'closed'
    clearTimeout(this.#tokenTimer)
    this.#server.hub.remove(this)
  }

  /** Closes the connection when its token ends. Only a token that ends before the next heartbeat gets a timer. */
  #watchToken() {
    clearTimeout(this.#tokenTimer)
    const left = this.me.expires - Date.now()
    if (left > this.#server.config.HEARTBEAT_MS) return
    this.#tokenTimer = setTimeout(() => this.finish(errors.UNAUTHORIZED.close), left).unref()
  }

  /** Closes the connection if its token was revoked, or its user was suspended, without a notice. Never rejects. */
  #recheckToken(): Promise<void> | undefined {
    const { me } = this
    return this.#server.tokens.recheck(me)?.catch((cause: unknown) => {
      const code = asAppError(cause)?.code
      if (code !== 'UNAUTHORIZED' && code !== 'ACCOUNT_SUSPENDED') this.fail(cause)
      else if (this.me === me) this.finish(errors[code].close)
    })
  }

  #spendFrame() {
    const budget = (this.#budget ??= new FrameBudget(this.#server.config))
    const action = budget.spend()
    if (action === 'close') this.close(4429)
    else if (action === 'pause') {
      this.#transport.pause()
      budget.resumeLater(() => this.#resumeReading())
    }
  }

  #resumeReading() {
    if (!this.#finishCode && !this.#budget?.isExceeded && !this.#inbox) this.#transport.resume()
  }

  #handle(data: Buffer, waited: number) {
    this.#requests
      .handle(data, waited)
      .catch((error) => this.fail(error))
      .finally(() => this.#closeIfAnswered())
  }

  #closeIfAnswered() {
    if (this.#finishCode && !this.#requests.hasUnanswered) this.close(this.#finishCode)
  }

  #startReplay(after: number, verified: Promise<void> | undefined, cursor?: string) {
    this.#replay(after, verified, cursor).catch((error) => this.fail(error))
  }

  /**
   * Sends the changes after `after` from the database, then switches to live delivery.
   * @param verified resolves when the token was verified again, if that is necessary
   * @param cursor that of the client, with the number `after`
   */
  async #replay(after: number, verified: Promise<void> | undefined, cursor?: string): Promise<void> {
    this.#state = 'replaying'
    this.#position = after
    await verified
    if (this.#isClosed || this.#finishCode) return
    const { chat, hub } = this.#server
    const replay = createReplay(chat, this.me.user_id, after)
    for (;;) {
      // Synchronous with the read of the head: `deliver` receives every later change.
      if (replay.position >= hub.head) {
        this.#position = replay.position
        this.#state = 'live'
        // The cursor of another node may be ahead of the hub, and of an epoch that the writer of this one does not know.
        const given = replay.position > hub.head ? cursor : undefined
        const reached = given ?? chat.cursors.format(replay.position)
        if (!this.isPlain) this.send({ type: 'caught_up', cursor: reached })
        return
      }
      // After a restart, thousands of sockets reconnect in the same turn.
      await chat.turns.ready(this.me.user_id)
      const page = await replay.next(this.#server.replayPage, hub.head)
      if (this.#isClosed) return
      for (const { number, event } of page) {
        this.#sendEvent(new Encoded(number, event, chat.cursors.format(number)))
        // One page of long messages may exceed what a slow client may have buffered.
        if (this.#transport.bufferedBytes > REPLAY_BUFFER) await this.#transport.drain(REPLAY_BUFFER)
      }
      await this.#transport.drain(REPLAY_BUFFER)
      if (this.#isClosed) return
    }
  }

  #sendEvent(encoded: Encoded) {
    const { user_id } = this.me
    const frame = this.isPlain ? encoded.plain(user_id) : encoded.frame(user_id)
    if (frame) this.#transport.write(frame)
  }
}
