import type { Identity } from '../chat/context.ts'
import { asAppError } from '../chat/failures.ts'
import type { CloseCode } from '../close-codes.ts'
import { type AppError, errorInfo, internal } from '../errors.ts'
import { problem } from '../problem.ts'
import type { ConnectionServer } from './connection-server.ts'
import { checkFrame, frameIdOf, frameTable, parseFrame } from './frames.ts'
import type { Subscriber } from './subscriber.ts'

/** Invalid frames within `BAD_FRAMES_MS` that close a socket. */
const BAD_FRAMES = 10
const BAD_FRAMES_MS = 60_000

/** What the requests need of their connection. */
type Requester = Subscriber & {
  /** Whether the socket has no subprotocol. */
  readonly isPlain: boolean
  renew(me: Identity): void
  send(frame: object): void
  close(code: CloseCode): void
}

/** The frames of one connection that were read, and those of them that await an answer. */
export class Requests {
  readonly #server: ConnectionServer
  readonly #connection: Requester
  #last = 0
  /** Ids of requests without an answer. Created by the first request, because most sockets are idle. */
  #unanswered: Set<number> | undefined
  /** Times of the last invalid frames, in milliseconds. */
  #badFrames: number[] | undefined

  constructor(server: ConnectionServer, connection: Requester) {
    this.#server = server
    this.#connection = connection
  }

  get hasUnanswered(): boolean {
    return this.#unanswered !== undefined && this.#unanswered.size > 0
  }

  /**
   * Handles one frame and answers it. A write is appended before this returns its promise: frames of one socket commit in
   * order of arrival.
   * @param waited milliseconds since the frame was read
   */
  async handle(data: Buffer, waited: number): Promise<void> {
    const { chat, tokens, presence } = this.#server
    const connection = this.#connection
    const { me, id: connection_id, isPlain } = connection
    const request_id = this.#next()
    this.#unanswered ??= new Set()
    this.#unanswered.add(request_id)
    let frame_id: string | undefined
    try {
      const frame = parseFrame(data)
      frame_id = frameIdOf(frame)
      const { load, answer, handle } = frameTable[checkFrame(frame, isPlain)]
      if (load !== 'exempt') chat.load.check(load, waited)
      const origin = { user_id: me.user_id, connection_id, request_id, frame_id }
      const context = { chat, tokens, watches: presence.watches, me, connection, origin }
      const members = await handle(context, frame as never)
      const hasAnswer = !isPlain || frame_id !== undefined || 'client_id' in frame
      // The event of a change has answered it already, unless the bus delivers it later.
      if (this.settle(request_id) && answer !== 'none' && hasAnswer) {
        connection.send({ type: answer, id: frame_id, ...members })
      }
    } catch (cause) {
      this.settle(request_id)
      const error = asAppError(cause) ?? internal(cause)
      this.#refuse(error, request_id, frame_id)
      if (errorInfo(error.code).status === 400) this.#countBadFrame()
    }
  }

  /** Marks a request as answered. @returns whether it had no answer yet */
  settle(request_id: number): boolean {
    return this.#unanswered?.delete(request_id) === true
  }

  /** Sends an `error` that answers no frame. */
  refuse(error: AppError) {
    this.#refuse(error, this.#next())
  }

  #next(): number {
    this.#last += 1
    return this.#last
  }

  #refuse(error: AppError, number: number, frame_id?: string) {
    const request_id = `${this.#connection.id}-${number.toString(36)}`
    this.#server.problems.note(error, { reqId: request_id, user_id: this.#connection.me.user_id })
    const { retryable = false } = errorInfo(error.code)
    this.#connection.send({
      type: 'error',
      id: frame_id,
      retryable,
      retry_after: error.retryAfter,
      problem: problem(error, request_id),
    })
  }

  #countBadFrame() {
    const now = performance.now()
    const recent = (this.#badFrames ?? []).filter((at) => now - at < BAD_FRAMES_MS)
    this.#badFrames = [...recent, now]
    if (this.#badFrames.length >= BAD_FRAMES) this.#connection.close(4400)
  }
}
