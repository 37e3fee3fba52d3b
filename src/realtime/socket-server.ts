import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { ValidateFunction } from 'ajv'
import type { WebSocket } from 'ws'
import { type ClientFrames, clientFrames } from '../../schemas/client-frames.ts'
import type { ServerFrames } from '../../schemas/server-frames.ts'
import { MAX_METADATA_BYTES } from '../chat/content.ts'
import type { Chat, Identity } from '../chat/context.ts'
import { cursorUnknown } from '../chat/sync.ts'
import type { Tokens } from '../chat/tokens.ts'
import type { Config } from '../config.ts'
import type { CloseCode } from '../close-codes.ts'
import { AppError, errors, invalidFields } from '../errors.ts'
import type { ProblemLog } from '../http/problem-log.ts'
import { fieldErrors, lazyValidator, strictAjv } from '../../schemas/validation.ts'
import { Connection, REPLAY_BUFFER } from './connection.ts'
import { Hub } from './hub.ts'
import { Presence } from './presence.ts'

export type Log = { debug(details: object, text: string): void; error(details: object, text: string): void }

/** Heartbeats are spread over this many turns, lest ten thousand pings go out in one. */
const BEATS = 32

/** Where a socket's stream begins: the number of the cursor that it gave, `unknown`, or, without one, now. */
export type Start = { cursor: string; after: number } | 'unknown' | undefined

/** Bytes of the largest frame: each code point may come as two escapes of six. */
export const maxFrameBytes = ({ MAX_MESSAGE_LENGTH }: Config) => MAX_MESSAGE_LENGTH * 12 + 16_384

/** Calls of `/sync` of one user that may wait: each is answered by itself, however many devices one has. */
const MAX_WAITS = 32

/** Events that a replay reads at once, at most: of long messages they are fewer by themselves. */
const REPLAY_PAGE = 200

/** The WebSocket side of the server: takes sockets in, and keeps what they share. */
export class SocketServer {
  readonly chat: Chat
  readonly config: Config
  readonly tokens: Tokens
  readonly log: Log
  readonly problems: ProblemLog
  readonly hub: Hub
  readonly presence: Presence
  readonly replayPage = REPLAY_PAGE
  /** Bytes queued past which a socket is closed; what a replay may queue, and one frame, always have room. */
  readonly hardLimit: number
  /** What was counted since the start. */
  readonly counts = { opened: 0, frames: 0, dropped: 0, closed: new Map<CloseCode, number>() }
  readonly #name = randomBytes(4).toString('hex')
  readonly #checks: Record<string, (frame: unknown) => void>
  readonly #dirty: Connection[] = []
  readonly #heartbeat: NodeJS.Timeout
  /** Frames that wait for an answer, by their number. */
  readonly #questions = new Set<number>()
  #asked = 0
  #connections = 0
  #isStopped = false
  #requests = 0
  #beat = 0

  constructor(chat: Chat, tokens: Tokens, log: Log, problems: ProblemLog, head: number) {
    this.chat = chat
    this.config = chat.config
    this.tokens = tokens
    this.log = log
    this.problems = problems
    this.presence = new Presence(chat, this.#name, (error) => log.error({ err: error }, 'presence failed'))
    this.hub = new Hub(chat.bus, chat.cursors, this.presence, head)
    this.hardLimit = Math.max(this.config.SOCKET_HARD_LIMIT, REPLAY_BUFFER + maxFrameBytes(this.config))
    this.#checks = createChecks()
    this.#heartbeat = setInterval(() => this.#beatSome(), this.config.HEARTBEAT_MS / BEATS)
  }

  /** @throws AppError `OVERLOADED` when no more sockets, and calls that wait, are taken */
  checkRoom() {
    if (this.hub.size + this.hub.waiting >= this.config.MAX_SOCKETS) {
      throw new AppError('OVERLOADED', 'As many sockets are open as are allowed.', {
        overload: 'sockets',
        retryAfter: 5,
      })
    }
  }

  /** @throws AppError `OVERLOADED`; `RATE_LIMITED` when no more calls of this user may wait */
  checkRoomToWait({ user_id }: Identity) {
    this.checkRoom()
    if (this.hub.waitsOf(user_id) >= Math.min(MAX_WAITS, this.config.MAX_SOCKETS_PER_USER)) {
      throw new AppError('RATE_LIMITED', 'As many of your calls wait as are allowed.', { retryAfter: 5 })
    }
  }

  /** Takes in a socket whose handshake is done. Its listeners are attached in this turn: a frame may be there already. */
  accept(socket: WebSocket, tcp: Socket, me: Identity, start: Start) {
    const { chat, hub } = this
    this.#connections += 1
    this.counts.opened += 1
    const id = `${this.#name}-${this.#connections}`
    const connection = new Connection(this, socket, tcp, me, { id, slot: this.#connections % BEATS })
    const isFull = hub.connectionsOf(me.user_id).size >= this.config.MAX_SOCKETS_PER_USER
    hub.add(connection)
    if (isFull) {
      connection.close(4409)
      return
    }
    // Its handshake waited while the server began to stop.
    if (this.#isStopped) {
      connection.close(errors.SHUTTING_DOWN.close)
      return
    }
    if (connection.isPlain) return
    const head = chat.cursors.format(hub.head)
    if (start === 'unknown') {
      connection.refuse(cursorUnknown(chat, hub.head))
    }
    const isResumed = start !== undefined && start !== 'unknown'
    connection.sendFrame(this.#hello(me, isResumed ? start.cursor : head))
    if (isResumed) connection.replay(start.after).catch((error) => connection.fail(error))
  }

  /** @throws AppError `VALIDATION_FAILED` naming what is wrong with a frame */
  checkFrame(type: keyof ClientFrames, frame: unknown) {
    this.#checks[type]?.(frame)
  }

  /** @returns the number of a frame that waits for an answer from now on. */
  ask(): number {
    this.#asked += 1
    this.#questions.add(this.#asked)
    return this.#asked
  }

  /** @returns whether the frame of this number had no answer yet; now it has. */
  answer(question: number): boolean {
    return this.#questions.delete(question)
  }

  /** Has the socket's frames of this turn sent together when the turn ends. */
  flushLater(connection: Connection) {
    if (this.#dirty.push(connection) === 1) process.nextTick(() => this.#flush())
  }

  nextRequest(): string {
    this.#requests += 1
    return this.#requests.toString(36)
  }

  closed(code: CloseCode) {
    this.counts.closed.set(code, (this.counts.closed.get(code) ?? 0) + 1)
  }

  /** Answers what was asked for, then closes every socket with 1001. */
  stop() {
    this.#isStopped = true
    clearInterval(this.#heartbeat)
    this.hub.wakeAll()
    for (const connection of [...this.hub.all()]) connection.finish(errors.SHUTTING_DOWN.close)
    this.presence.stop()
  }

  #hello({ user_id, username }: Identity, cursor: string): ServerFrames['hello'] {
    const { config } = this
    return {
      type: 'hello',
      user: { id: user_id, username },
      cursor,
      heartbeat_ms: config.HEARTBEAT_MS,
      limits: {
        max_message_length: config.MAX_MESSAGE_LENGTH,
        max_frame_bytes: maxFrameBytes(config),
        max_metadata_bytes: MAX_METADATA_BYTES,
        frames_per_second: config.SOCKET_FRAMES_PER_SECOND,
        sends_per_minute: config.RATE_LIMIT_SEND,
      },
    }
  }

  #flush() {
    for (const connection of this.#dirty) connection.flush()
    this.#dirty.length = 0
  }

  #beatSome() {
    this.#beat = (this.#beat + 1) % BEATS
    for (const connection of [...this.hub.all()]) if (connection.slot === this.#beat) connection.beat()
  }
}

const createChecks = () =>
  Object.fromEntries(
    Object.entries(clientFrames).map(([type, schema]) => {
      const validate = lazyValidator(() => strictAjv.getSchema(schema.$id as string) as ValidateFunction)
      const check = (frame: unknown) => {
        if (validate(frame)) return
        throw invalidFields(fieldErrors(validate.errors, 'frame'))
      }
      return [type, check]
    }),
  )
