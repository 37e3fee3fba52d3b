import { checkFrame } from './check-frame.ts'
import { newClientId } from './client-id.ts'
import { ConversationKeys } from './conversation-keys.ts'
import { errorFromProblem, type MessengerError } from './error.ts'
import { LaneQueue } from './lane-queue.ts'
import { TokenBucket } from './token-bucket.ts'
import type { ClientFrame, FrameOf, Limits, Message, OutboxEntry } from './types.ts'

/** Frames that may wait for their reply at the same time, over all lanes. */
const WINDOW = 64
/** Seconds to wait after a refusal without `retry_after`. */
const RETRY_AFTER = 1

type Ack = FrameOf<'ack'>
type RequestFrame = ClientFrame & { id: string }
type Connection = { limits: Limits; bucket: TokenBucket; send: (frame: ClientFrame) => void }

export type SendQueueListener = {
  /** The server stored a message. */
  onSent: (client_id: string, message: Message) => void
  /** A message was refused for good. It is no longer in the queue. */
  onRejected: (entry: OutboxEntry, error: MessengerError) => void
}

/**
 * Sends messages and other requests over the current connection, and repeats them over the next one until the server
 * replies. A repeat is harmless: the server detects a repeated message by its `client_id`, and the other requests have
 * the same effect when they run twice. The messages of one conversation are sent one at a time, in the order of
 * `add()`. So are the requests that change one message. Only messages outlive the process, in the storage.
 */
export class SendQueue {
  readonly #messages = new LaneQueue<OutboxEntry, Message>()
  readonly #requests = new LaneQueue<RequestFrame, Ack>()
  readonly #conversations = new ConversationKeys()
  readonly #listener: SendQueueListener
  /** Ids of the frames that wait for their reply. */
  readonly #inFlight = new Set<string>()
  #connection: Connection | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Nothing is sent before this time (of `performance.now()`), because the server asked for a pause. */
  #pausedUntil = 0
  /** Why the queue was closed. */
  #closed: MessengerError | undefined

  constructor(listener: SendQueueListener) {
    this.#listener = listener
  }

  /** The messages without a reply, oldest first. */
  get entries(): readonly OutboxEntry[] {
    return this.#messages.values
  }

  /** Adds a message. It is not sent before `markStored()`. @returns the stored message. */
  async add(entry: OutboxEntry): Promise<Message> {
    if (this.#closed) throw this.#closed
    return this.#messages.add(entry.client_id, entry, this.#conversations.of(entry))
  }

  /** Allows a message to be sent: the storage has it. */
  markStored(client_id: string) {
    this.#messages.markReady(client_id)
    this.#pump()
  }

  /**
   * Sends a request that is not a message, under a new request id.
   * @returns the `ack` of the server
   * @throws MessengerError with the server's problem, or the error of `close()`
   */
  async request(frame: ClientFrame): Promise<Ack> {
    if (this.#closed) throw this.#closed
    const id = newClientId()
    const keys = 'message_id' in frame ? [String(frame.message_id)] : []
    const ack = this.#requests.add(id, { ...frame, id }, keys)
    this.#requests.markReady(id)
    this.#pump()
    return ack
  }

  /** @returns whether the request id is the `client_id` of a message in this queue */
  isMessage(id: string | undefined): id is string {
    return id !== undefined && this.#messages.has(id)
  }

  /** Learns that `peer` and `conversation_id` address the same direct conversation. Ignores a group: no `peer`. */
  linkConversation(peer: string | undefined, conversation_id: number) {
    this.#conversations.link(peer, conversation_id)
  }

  /** Starts sending. @param send sends a frame over the connection that has just opened. */
  connected(limits: Limits, send: (frame: ClientFrame) => void) {
    this.#connection = { limits, send, bucket: new TokenBucket(limits.frames_per_second) }
    this.#pump()
  }

  /** Stops sending. Queues all frames without a reply again. */
  disconnected() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#connection = undefined
    this.#inFlight.clear()
    this.#messages.requeueAll()
    this.#requests.requeueAll()
  }

  handleAck(ack: Ack) {
    const { id = '', message } = ack
    this.#inFlight.delete(id)
    if (this.isMessage(id)) {
      const stored = message as Message
      this.linkConversation(stored.receiver, stored.conversation_id)
      this.#messages.resolve(id, stored)
      this.#listener.onSent(id, stored)
    } else this.#requests.resolve(id, ack)
    this.#pump()
  }

  handleError({ id = '', retryable, retry_after = RETRY_AFTER, problem }: FrameOf<'error'>) {
    this.#inFlight.delete(id)
    // The server closes the socket of a suspended user next. What is not stored waits for the end of the suspension.
    if (retryable || problem.code === 'ACCOUNT_SUSPENDED') {
      this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + retry_after * 1000)
      this.#messages.requeue(id)
      this.#requests.requeue(id)
    } else this.reject(id, errorFromProblem(problem))
    this.#pump()
  }

  /** Removes a message or another request and rejects its promise. Ignores an unknown id. */
  reject(id: string, error: MessengerError) {
    const entry = this.#messages.reject(id, error)
    if (entry) this.#listener.onRejected(entry, error)
    else this.#requests.reject(id, error)
  }

  /** Stops for good and rejects all promises. `entries` keeps the messages that were not sent. */
  close(error: MessengerError) {
    this.#closed = error
    this.disconnected()
    this.#messages.rejectAll(error)
    this.#requests.rejectAll(error)
  }

  /** Sends as many frames as the window, the server's rate and a pause allow. */
  #pump() {
    if (!this.#connection || this.#timer !== undefined) return
    const { limits, bucket, send } = this.#connection
    while (this.#inFlight.size < WINDOW) {
      const wait = Math.max(this.#pausedUntil - performance.now(), bucket.wait)
      if (wait > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#pump()
        }, wait)
        return
      }
      const frame = this.#next()
      if (!frame) return
      const error = checkFrame(frame, limits)
      if (error) this.reject(frame.id, error)
      else {
        bucket.spend()
        this.#inFlight.add(frame.id)
        send(frame)
      }
    }
  }

  #next(): RequestFrame | undefined {
    const request = this.#requests.take()
    if (request) return request
    const entry = this.#messages.take()
    return entry && { type: 'send', id: entry.client_id, ...entry }
  }
}
