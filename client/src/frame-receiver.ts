import type { EventStream } from './event-stream.ts'
import type { MessengerEvent } from './events.ts'
import type { PresenceWatch } from './presence-watch.ts'
import type { Profiles } from './profiles.ts'
import type { ReconnectingSocket } from './reconnecting-socket.ts'
import type { SendQueue } from './send-queue.ts'
import type { StorageWriter } from './storage-writer.ts'
import type { FrameOf, Hello, ServerFrame } from './types.ts'

type Options = {
  events: EventStream
  sendQueue: SendQueue
  presenceWatch: PresenceWatch
  profiles: Profiles
  storage: StorageWriter
  /** Returns the socket that the frames come from. */
  socket: () => ReconnectingSocket
}

/** Turns the frames of the server into events: follows the cursor, and emits each message exactly once. */
export class FrameReceiver {
  readonly #options: Options
  #cursor: string | undefined
  #hello: Hello | undefined
  /** The server does not know the cursor of this connection. */
  #isCursorUnknown = false
  /** Id of the newest message event. Ids rise in every stream, so an id up to this one is a duplicate. */
  #newestId = 0

  constructor(options: Options) {
    this.#options = options
  }

  /** The position in the stream: all events up to it were received. */
  get cursor(): string | undefined {
    return this.#cursor
  }

  /** The `hello` of the last connection. */
  get hello(): Hello | undefined {
    return this.#hello
  }

  /** Makes the next connection resume at `cursor`. */
  resumeAt(cursor: string | undefined) {
    this.#cursor = cursor
    this.#newestId = 0
  }

  disconnected() {
    this.#isCursorUnknown = false
  }

  /** Handles a frame. Ignores types that this version does not know. */
  receive(frame: ServerFrame) {
    const { sendQueue, presenceWatch, profiles, socket } = this.#options
    switch (frame.type) {
      case 'hello':
        this.#handleHello(frame)
        break
      case 'message':
        this.#handleMessage(frame)
        break
      case 'conversation':
        sendQueue.linkConversation(frame.peer, frame.conversation_id)
        this.#emit(frame)
        break
      case 'message_updated':
      case 'receipt':
      case 'typing':
      case 'presence':
        this.#emit(frame)
        break
      case 'user':
        profiles.receive(frame.user)
        break
      case 'caught_up':
        this.#emit(frame)
        socket().setState('online')
        break
      case 'ack':
        this.#handleAck(frame)
        break
      case 'error':
        if (frame.id !== undefined) {
          presenceWatch.handleError(frame)
          sendQueue.handleError(frame)
        } else if (frame.problem.code === 'CURSOR_UNKNOWN') this.#isCursorUnknown = true
    }
  }

  #handleHello(hello: Hello) {
    const { events, sendQueue, presenceWatch, profiles, storage, socket } = this.#options
    const { cursor, limits } = hello
    const isResumed = this.#cursor !== undefined && !this.#isCursorUnknown
    if (this.#hello) profiles.reconnected()
    this.#hello = hello
    this.#cursor = cursor
    if (this.#isCursorUnknown) {
      // The server has another database now, with other message ids.
      this.#newestId = 0
      this.#isCursorUnknown = false
      events.emit({ type: 'reset', cursor }, cursor)
    } else if (!isResumed) storage.setCursor(cursor)
    socket().setState(isResumed ? 'catching_up' : 'online')
    presenceWatch.send()
    sendQueue.connected(limits, (frame) => socket().send(frame))
  }

  #handleMessage(frame: FrameOf<'message'>) {
    const isToMe = frame.receiver_id === this.#hello?.user.id
    const peer = isToMe ? frame.sender : frame.receiver
    this.#options.sendQueue.linkConversation(peer, frame.conversation_id)
    if (frame.id <= this.#newestId) return
    this.#newestId = frame.id
    this.#emit(frame)
  }

  /**
   * Emits the event of a change that this connection requested: the server sends the event to the user's other
   * connections only, and an `ack` to this one. An `ack` without a cursor acknowledges a duplicate, a request that
   * changed nothing, or a change during a replay, whose event the replay contains.
   */
  #handleAck(ack: FrameOf<'ack'>) {
    const { sendQueue } = this.#options
    const { cursor, message, receipt } = ack
    if (cursor !== undefined) {
      if (receipt) this.#emit({ type: 'receipt', cursor, ...receipt })
      else if (message && sendQueue.isMessage(ack.id))
        this.#handleMessage({ type: 'message', cursor, ...message })
      else if (message) this.#emit({ type: 'message_updated', cursor, ...message })
    }
    sendQueue.handleAck(ack)
  }

  #emit(event: MessengerEvent & { cursor?: string }) {
    this.#cursor = event.cursor ?? this.#cursor
    this.#options.events.emit(event, event.cursor)
  }
}
