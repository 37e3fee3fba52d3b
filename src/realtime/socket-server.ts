import type { Chat, Identity } from '../chat/context.ts'
import type { Tokens } from '../chat/tokens.ts'
import type { Config } from '../config.ts'
import type { CloseCode } from '../close-codes.ts'
import { AppError, errors } from '../errors.ts'
import type { ProblemLog } from '../http/problem-log.ts'
import { Connection, REPLAY_BUFFER, type Start } from './connection.ts'
import type { ConnectionServer } from './connection-server.ts'
import { maxFrameBytes } from './hello.ts'
import { Hub } from './hub.ts'
import { Presence } from './presence.ts'
import { ProfileAnnouncer } from './profile-announcer.ts'
import type { Transport } from './transport.ts'

/** Spreads heartbeats over 32 ticks so that 10,000 sockets are not pinged in one tick. */
const HEARTBEAT_TICKS = 32

/** Long polls that one user may have open at a time. */
const MAX_POLLS_PER_USER = 32

/** The most events of one replay page. A page of long messages has fewer. */
const REPLAY_PAGE = 200

type Log = Record<'debug' | 'error', (details: object, text: string) => void>

/** The WebSocket side of the server: accepts sockets and holds what they share. */
export class SocketServer implements ConnectionServer {
  readonly chat: Chat
  readonly config: Config
  readonly tokens: Tokens
  readonly log: Log
  readonly problems: ProblemLog
  readonly hub: Hub
  readonly presence: Presence
  readonly replayPage = REPLAY_PAGE
  readonly hardLimit: number
  /** Totals since the start of the server. */
  readonly counts = { opened: 0, frames: 0, dropped: 0, closed: new Map<CloseCode, number>() }
  readonly #profileAnnouncer: ProfileAnnouncer
  readonly #heartbeat: NodeJS.Timeout
  #tick = 0
  #isStopped = false

  /** @param head the number of the last committed change */
  constructor(chat: Chat, tokens: Tokens, log: Log, problems: ProblemLog, head: number) {
    this.chat = chat
    this.config = chat.config
    this.tokens = tokens
    this.log = log
    this.problems = problems
    this.presence = new Presence(chat, chat.server, (error) =>
      log.error({ err: error }, 'A presence lookup failed.'),
    )
    this.#profileAnnouncer = new ProfileAnnouncer(chat, (error) =>
      log.error({ err: error }, 'A change of a profile could not be announced.'),
    )
    this.hub = new Hub(chat, tokens, this.presence, this.#profileAnnouncer, head)
    // What a replay may leave buffered and one frame of the longest content must fit.
    this.hardLimit = Math.max(this.config.SOCKET_HARD_LIMIT, REPLAY_BUFFER + maxFrameBytes(this.config))
    this.#heartbeat = setInterval(() => this.#beat(), this.config.HEARTBEAT_MS / HEARTBEAT_TICKS)
  }

  /** @throws AppError `OVERLOADED` when `MAX_SOCKETS` sockets and long polls are open */
  checkCapacity() {
    if (this.hub.size + this.hub.waiting >= this.config.MAX_SOCKETS) {
      throw new AppError('OVERLOADED', 'The limit of open sockets is reached. Retry later.', {
        overload: 'sockets',
        retryAfter: 5,
      })
    }
  }

  /** @throws AppError `OVERLOADED`; `RATE_LIMITED` when the user has too many long polls open */
  checkPollCapacity({ user_id }: Identity) {
    this.checkCapacity()
    if (this.hub.waitsOf(user_id) >= Math.min(MAX_POLLS_PER_USER, this.config.MAX_SOCKETS_PER_USER)) {
      throw new AppError('RATE_LIMITED', 'Too many of your calls are waiting. Wait for one to end.', {
        retryAfter: 5,
      })
    }
  }

  /** Accepts a socket. Call it in the tick of the handshake: the first frame may have arrived already. */
  accept(transport: Transport, me: Identity, start: Start) {
    const number = (this.counts.opened += 1)
    const isFull = this.hub.connectionsOf(me.user_id).size >= this.config.MAX_SOCKETS_PER_USER
    const connection = new Connection(
      this,
      transport,
      me,
      `${this.chat.server}-${number}`,
      number % HEARTBEAT_TICKS,
    )
    this.hub.add(connection)
    if (isFull) connection.close(4409)
    // A handshake may wait for its turn while the server begins to stop.
    else if (this.#isStopped) connection.close(errors.SHUTTING_DOWN.close)
    else connection.start(start)
  }

  countClose(code: CloseCode) {
    this.counts.closed.set(code, (this.counts.closed.get(code) ?? 0) + 1)
  }

  /** Answers the frames whose handling has begun, then closes every socket with 1001. */
  stop() {
    this.#isStopped = true
    clearInterval(this.#heartbeat)
    this.hub.wakeAll('stop')
    for (const connection of [...this.hub.all()]) connection.finish(errors.SHUTTING_DOWN.close)
    this.presence.stop()
    this.#profileAnnouncer.stop()
  }

  #beat() {
    this.#tick = (this.#tick + 1) % HEARTBEAT_TICKS
    for (const connection of [...this.hub.all()]) {
      if (connection.heartbeatTick === this.#tick) connection.beat()
    }
  }
}
