import assert from 'node:assert/strict'
import { WebSocket } from 'ws'
import type { ConversationList, Member } from '../../schemas/conversation.ts'
import type { EventFrame } from '../../schemas/events.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import type { Message } from '../../schemas/message.ts'
import type { Host } from './host.ts'
import type { Marks } from './model.ts'

export type Shown = {
  kind: string
  title: string | undefined
  peer: string | undefined
  member_count: number
  isLeft: boolean
}

/** The number in a cursor, which is opaque to clients: here it is looked at, to see it rise. */
const numberOf = (cursor: string) => Number(cursor.slice(cursor.lastIndexOf('.') + 1))

/** Reports are not sent again and again for one hole, but they say all that came. */
export class View {
  readonly messages = new Map<number, Message>()
  readonly conversations = new Map<number, Shown>()
  readonly marks = new Map<string, Marks>()
  cursor = ''
  #lastMessage = 0
  /** Whether the stream may have left this message out: it was changed while its reader had left. */
  readonly mayMiss: (id: number) => boolean

  constructor(mayMiss: (id: number) => boolean) {
    this.mayMiss = mayMiss
  }

  /** A change at its cursor: later than all before it. */
  apply(event: EventFrame) {
    this.#advance(event.cursor as string)
    switch (event.type) {
      case 'message':
        this.add(event)
        break
      case 'message_updated': {
        const isKnown = this.messages.has(event.id)
        assert(isKnown || this.mayMiss(event.id), `message ${event.id} was changed, and never shown`)
        // A device that has missed it knows it from the history only.
        if (!isKnown) break
        const { type: _, cursor: __, ...message } = event
        this.messages.set(event.id, message)
        break
      }
      case 'receipt':
        this.mark(event.conversation_id, event.username, event)
        break
      case 'conversation': {
        const { conversation_id, kind, title, peer, member_count, you } = event
        this.conversations.set(conversation_id, { kind, title, peer, member_count, isLeft: you === 'left' })
      }
    }
  }

  add({ type: _, cursor: __, ...message }: Message & { type?: unknown; cursor?: unknown }) {
    assert(!this.messages.has(message.id), `message ${message.id} came twice`)
    assert(message.id > this.#lastMessage, `message ${message.id} came after ${this.#lastMessage}`)
    assert(this.conversations.has(message.conversation_id), 'a message came before its conversation')
    this.#lastMessage = message.id
    this.messages.set(message.id, message)
  }

  mark(
    id: number,
    username: string,
    { delivered_up_to, read_up_to }: { delivered_up_to: number; read_up_to: number },
  ) {
    const key = `${id}:${username}`
    const before = this.marks.get(key)
    assert(!before || (before.delivered <= delivered_up_to && before.read <= read_up_to), 'marks went back')
    assert(read_up_to <= delivered_up_to, 'what is read is delivered')
    this.marks.set(key, { delivered: delivered_up_to, read: read_up_to })
  }

  /** The answer to a change of this very device, in its place. */
  acknowledge(cursor: string, type: string, message: Message | undefined, receipt: unknown) {
    if (type === 'receipt') {
      this.#advance(cursor)
      const { conversation_id, username, ...marks } = receipt as {
        conversation_id: number
        username: string
        delivered_up_to: number
        read_up_to: number
      }
      this.mark(conversation_id, username, marks)
    } else
      this.apply({ type: type === 'send' ? 'message' : 'message_updated', cursor, ...(message as Message) })
  }

  #advance(cursor: string) {
    assert(numberOf(cursor) > numberOf(this.cursor), `${cursor} came after ${this.cursor}`)
    this.cursor = cursor
  }

  /** Loads what is there, as a device does that is new: the list, then the events after its cursor. */
  static async load(host: Host, token: string, mayMiss: (id: number) => boolean): Promise<View> {
    const view = new View(mayMiss)
    const get = async <T>(path: string) => (await host.call<T>(token, 'GET', path)).body
    const { conversations, cursor } = await get<ConversationList>('/conversations?limit=100')
    view.cursor = cursor
    const messages: Message[] = []
    for (const conversation of conversations) {
      const { id, kind, title, peer, role, member_count } = conversation
      const isLeft = kind === 'group' && role === undefined
      view.conversations.set(id, { kind, title, peer, member_count, isLeft })
      messages.push(...(await get<Message[]>(`/conversations/${id}/messages?limit=1000`)))
      const { members } = await get<{ members: Member[] }>(`/conversations/${id}/members`)
      for (const member of members) view.mark(id, member.username, member)
      if (isLeft) view.mark(id, (await get<{ username: string }>('/users/me')).username, conversation)
    }
    for (const message of messages.sort((a, b) => a.id - b.id)) view.add(message)
    return view
  }
}

type Reply = Extract<ServerFrame, { type: 'ack' | 'error' | 'pong' }>

/** A device of somebody: on a socket that comes and goes, or by /sync. What it knows it knows from the stream. */
export class Device {
  readonly view: View
  readonly isSync: boolean
  readonly #host: Host
  readonly #token: string
  #socket: WebSocket | undefined
  #replies = new Map<
    string,
    { type: string; resolve: (reply: Reply) => void; reject: (error: Error) => void }
  >()
  #asked = 0
  #caughtUp = Promise.withResolvers<void>()
  #onFrame: () => void = () => {}
  #fault: unknown
  isSlow = false

  constructor(host: Host, token: string, view: View, isSync: boolean) {
    this.#host = host
    this.#token = token
    this.view = view
    this.isSync = isSync
    this.#caughtUp.promise.catch(() => {})
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN
  }

  /** Comes back with its cursor; resolves when the socket is open, while the replay goes on. */
  async connect() {
    if (this.isSync || this.#socket) return
    this.#caughtUp = Promise.withResolvers()
    this.#caughtUp.promise.catch(() => {})
    const url = `${this.#host.url.replace('http', 'ws')}/ws?cursor=${encodeURIComponent(this.view.cursor)}`
    const socket = new WebSocket(url, ['messenger.v1'], {
      headers: { authorization: `Bearer ${this.#token}` },
    })
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      if (this.#socket === socket) this.#take(JSON.parse(data.toString()))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#lost()
    })
    await new Promise((resolve) => socket.on('open', resolve).on('close', resolve))
  }

  /** Goes without a goodbye: what is on its way is lost. */
  drop() {
    const socket = this.#socket
    this.#lost()
    socket?.terminate()
  }

  /** Comes back and goes again after so many frames, be it in the middle of the replay. */
  async flap(frames: number) {
    this.drop()
    let left = frames
    const enough = new Promise<void>((resolve) => {
      this.#onFrame = () => {
        left -= 1
        if (left <= 0) resolve()
      }
    })
    await this.connect()
    await Promise.race([enough, this.#caughtUp.promise.catch(() => {})])
    this.#onFrame = () => {}
    this.drop()
  }

  /** Reads nothing for now. */
  stall() {
    if (!this.isOpen) return
    this.isSlow = true
    this.#socket?.pause()
  }

  /** Sends a frame. @throws when the socket ends before the answer */
  async ask(frame: { type: string } & Record<string, unknown>): Promise<Reply> {
    const socket = this.#socket as WebSocket
    this.#asked += 1
    const id = String(this.#asked)
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#replies.set(id, { type: frame.type, resolve, reject })
    socket.send(JSON.stringify({ ...frame, id }))
    return promise
  }

  /** Sends a frame and goes at once. */
  async shout(frame: object) {
    this.#socket?.send(JSON.stringify(frame))
    await new Promise((resolve) => setImmediate(resolve))
    this.drop()
  }

  /** Is back, and has all that was committed until now. */
  async settle() {
    if (this.isSync) return this.poll(Number.POSITIVE_INFINITY)
    for (let attempt = 1; ; attempt += 1) {
      this.isSlow = false
      this.#socket?.resume()
      await this.connect()
      try {
        await this.#caughtUp.promise
        await this.ask({ type: 'ping' })
        break
      } catch (error) {
        this.check()
        // It was closed as too slow: it comes back with its cursor.
        if (attempt === 20) throw error
      }
    }
    this.check()
  }

  /** Reads up to so many pages of /sync. */
  async poll(pages: number, limit = 2) {
    for (let page = 0; page < pages; page += 1) {
      const path = `/sync?limit=${limit}&cursor=${encodeURIComponent(this.view.cursor)}`
      const { code, body } = await this.#host.call<SyncPage>(this.#token, 'GET', path)
      assert.equal(code, 'ok', 'the cursor is known')
      assert(body.events.length <= limit)
      for (const event of body.events) this.view.apply(event)
      assert(numberOf(body.cursor) >= numberOf(this.view.cursor), 'the cursor of a page is past its events')
      this.view.cursor = body.cursor
      if (!body.more) return
    }
  }

  /** @throws what went wrong while nobody looked */
  check() {
    if (this.#fault) throw this.#fault
  }

  #lost() {
    this.#socket = undefined
    this.isSlow = false
    const gone = new Error('the socket is gone')
    this.#caughtUp.reject(gone)
    for (const { reject } of this.#replies.values()) reject(gone)
    this.#replies.clear()
  }

  #take(frame: ServerFrame) {
    try {
      this.#read(frame)
    } catch (error) {
      this.#fault ??= error
      // Who waits for a frame would wait for ever.
      this.drop()
    }
    this.#onFrame()
  }

  #read(frame: ServerFrame) {
    switch (frame.type) {
      case 'hello':
        assert.equal(frame.cursor, this.view.cursor, 'the stream goes on at the cursor that was given')
        return
      case 'caught_up':
        assert(numberOf(frame.cursor) >= numberOf(this.view.cursor))
        this.view.cursor = frame.cursor
        this.#caughtUp.resolve()
        return
      case 'ack':
      case 'error':
      case 'pong': {
        const asked = this.#replies.get(frame.id as string)
        if (frame.type === 'ack' && frame.cursor && asked) {
          this.view.acknowledge(frame.cursor, asked.type, frame.message, frame.receipt)
        }
        this.#replies.delete(frame.id as string)
        if (frame.type === 'error' && !asked) assert.fail(`unasked: ${frame.problem.code}`)
        asked?.resolve(frame)
        return
      }
      case 'message':
      case 'message_updated':
      case 'receipt':
      case 'conversation':
        this.view.apply(frame)
    }
  }
}
