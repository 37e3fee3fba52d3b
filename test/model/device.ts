import assert from 'node:assert/strict'
import { WebSocket } from 'ws'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { openWebSocket } from '../support/web-socket.ts'
import type { Host } from './host.ts'
import { numberOf, type View } from './view.ts'

type Reply = Extract<ServerFrame, { type: 'ack' | 'error' | 'pong' }>

/** A device of a user, on a socket that reconnects or by /sync. Its state comes from its events only. */
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
  #requests = 0
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

  /** Reconnects with its cursor. Resolves when the socket is open, before the replay is complete. */
  async connect() {
    if (this.isSync || this.#socket) return
    this.#caughtUp = Promise.withResolvers()
    this.#caughtUp.promise.catch(() => {})
    const socket = openWebSocket(this.#host.url, this.#token, { cursor: this.view.cursor })
    this.#socket = socket
    socket.on('message', (data: Buffer) => {
      if (this.#socket === socket) this.#receive(JSON.parse(data.toString()))
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#socket === socket) this.#handleClose()
    })
    await new Promise((resolve) => socket.on('open', resolve).on('close', resolve))
  }

  /** Terminates the socket without a close frame. Frames in flight are lost. */
  drop() {
    const socket = this.#socket
    this.#handleClose()
    socket?.terminate()
  }

  /** Reconnects and drops the socket after `frames` frames, even during the replay. */
  async reconnectBriefly(frames: number) {
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

  /** Stops reading until `settle`. */
  stall() {
    if (!this.isOpen) return
    this.isSlow = true
    this.#socket?.pause()
  }

  /** Sends a frame. @throws an error if the socket closes before the reply */
  async request(frame: { type: string } & Record<string, unknown>): Promise<Reply> {
    const socket = this.#socket as WebSocket
    this.#requests += 1
    const id = String(this.#requests)
    const { promise, resolve, reject } = Promise.withResolvers<Reply>()
    this.#replies.set(id, { type: frame.type, resolve, reject })
    socket.send(JSON.stringify({ ...frame, id }))
    return promise
  }

  /** Sends a frame and drops the socket at once. */
  async sendAndDrop(frame: object) {
    this.#socket?.send(JSON.stringify(frame))
    await new Promise((resolve) => setImmediate(resolve))
    this.drop()
  }

  /** Reconnects if necessary and waits for every event that is committed now. */
  async settle() {
    if (this.isSync) return this.poll(Number.POSITIVE_INFINITY)
    for (let attempt = 1; ; attempt += 1) {
      this.isSlow = false
      this.#socket?.resume()
      await this.connect()
      try {
        await this.#caughtUp.promise
        await this.request({ type: 'ping' })
        await this.#receiveAll()
        break
      } catch (error) {
        this.check()
        // The server closed the slow socket. It resumes with its cursor.
        if (attempt === 20) throw error
      }
    }
    this.check()
  }

  /** Waits for the events that a replay after a lost batch sends: it may still run when the pong arrives. */
  async #receiveAll() {
    for (let attempt = 0; attempt < 1000; attempt += 1) {
      const path = `/sync?cursor=${this.view.cursor}` as const
      const { body } = await this.#host.call<SyncPage>(this.#token, 'GET', path)
      if (body.events.length === 0) return
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  /** Reads up to `pages` pages of /sync. */
  async poll(pages: number, limit = 2) {
    for (let page = 0; page < pages; page += 1) {
      const path = `/sync?limit=${limit}&cursor=${encodeURIComponent(this.view.cursor)}`
      const { code, body } = await this.#host.call<SyncPage>(this.#token, 'GET', path)
      assert.equal(code, 'ok', 'the cursor is known')
      assert(body.events.length <= limit)
      for (const event of body.events) this.view.apply(event)
      assert(
        numberOf(body.cursor) >= numberOf(this.view.cursor),
        'the cursor of a page is not before its events',
      )
      this.view.cursor = body.cursor
      if (!body.more) return
    }
  }

  /** @throws the first fault since the last check */
  check() {
    if (this.#fault) throw this.#fault
  }

  #handleClose() {
    this.#socket = undefined
    this.isSlow = false
    const lost = new Error('the socket was lost')
    this.#caughtUp.reject(lost)
    for (const { reject } of this.#replies.values()) reject(lost)
    this.#replies.clear()
  }

  #receive(frame: ServerFrame) {
    try {
      this.#read(frame)
    } catch (error) {
      this.#fault ??= error
      // Rejects the pending requests, which would wait forever.
      this.drop()
    }
    this.#onFrame()
  }

  #read(frame: ServerFrame) {
    switch (frame.type) {
      case 'hello':
        assert.equal(frame.cursor, this.view.cursor, 'the stream resumes at the given cursor')
        return
      case 'caught_up':
        assert(numberOf(frame.cursor) >= numberOf(this.view.cursor))
        this.view.cursor = frame.cursor
        this.#caughtUp.resolve()
        return
      case 'ack':
      case 'error':
      case 'pong': {
        const request = this.#replies.get(frame.id as string)
        if (frame.type === 'ack' && frame.cursor && request) {
          this.view.acknowledge(frame.cursor, request.type, frame.message, frame.receipt)
        }
        this.#replies.delete(frame.id as string)
        if (frame.type === 'error' && !request) assert.fail(`error without a request: ${frame.problem.code}`)
        request?.resolve(frame)
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
