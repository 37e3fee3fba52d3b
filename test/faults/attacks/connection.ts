import type { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { openTcp, readReply } from '../../support/raw.ts'
import type { Replies, Target } from './attack.ts'
import { kindOf, type Reply } from './replies.ts'

/** Opens `count` connections in steps, so that the accept queue of the kernel does not overflow. */
export const openInSteps = async <T>(count: number, open: () => Promise<T>): Promise<T[]> => {
  const opened: T[] = []
  while (opened.length < count) {
    const step = Math.min(64, count - opened.length)
    opened.push(...(await Promise.all(Array.from({ length: step }, open))))
  }
  return opened
}

/** An HTTP/1.1 connection that sends any bytes and counts the replies. Requests can be pipelined. */
export class Connection {
  isClosed = false
  readonly #socket: Socket
  readonly #replies: Replies
  readonly #waiting: { isHead: boolean; resolve: (reply: Reply) => void }[] = []
  /** Replies to requests that were not sent completely yet. */
  readonly #early: Reply[] = []
  #received: Buffer[] = []
  #length = 0
  /** Received bytes with which the next reply can be complete. */
  #needed = 1

  constructor(socket: Socket, replies: Replies) {
    this.#socket = socket
    this.#replies = replies
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('close', () => this.#end())
  }

  /** @throws an error if the port does not accept connections */
  static async open({ port, replies }: Pick<Target, 'port' | 'replies'>): Promise<Connection> {
    return new Connection(await openTcp(port), replies)
  }

  static openMany(target: Target, count: number): Promise<Connection[]> {
    return openInSteps(count, () => Connection.open(target))
  }

  write(bytes: string | Uint8Array) {
    this.#socket.write(bytes)
  }

  /** Resolves when the kernel has accepted every written byte, or the connection is closed. */
  async flushed(): Promise<void> {
    while (this.#socket.writableLength > 0 && !this.isClosed) await pause(5)
  }

  /** Sends a request or the rest of one. @returns its reply */
  request(bytes: string | Uint8Array, isHead = false): Promise<Reply> {
    const early = this.#early.shift()
    if (early) {
      this.#socket.write(bytes)
      return Promise.resolve(early)
    }
    return new Promise((resolve) => {
      this.#waiting.push({ isHead, resolve })
      if (this.isClosed) this.#end()
      else this.#socket.write(bytes)
    })
  }

  /** Stops reading. */
  stopReading() {
    this.#socket.pause()
  }

  /** Stops waiting and leaves the connection open. Requests in flight count as not answered. */
  giveUp() {
    this.#settle('not answered')
  }

  /** Closes the connection. Requests in flight count as not answered. */
  close() {
    this.giveUp()
    this.#socket.destroy()
  }

  /** Closes the connection. Requests in flight are not counted. */
  abandon() {
    this.#waiting.length = 0
    this.#socket.destroy()
  }

  #end() {
    this.isClosed = true
    this.#settle('cut')
  }

  #settle(why: string) {
    for (const { resolve } of this.#waiting.splice(0)) {
      this.#count(why)
      resolve({ status: 0, headers: new Headers(), body: '' })
    }
  }

  #count(reply: string) {
    this.#replies[reply] = (this.#replies[reply] ?? 0) + 1
  }

  #receive(chunk: Buffer) {
    this.#received.push(chunk)
    this.#length += chunk.length
    while (this.#length >= this.#needed) {
      const bytes = Buffer.concat(this.#received)
      const reply = readReply(bytes, this.#waiting[0]?.isHead)
      this.#received = [bytes]
      this.#needed = reply?.length ?? bytes.length + 1
      if (!reply || reply.length > bytes.length) return
      this.#received = [bytes.subarray(reply.length)]
      this.#length -= reply.length
      this.#needed = 1
      this.#complete(reply)
    }
  }

  #complete(reply: Reply) {
    const request = this.#waiting.shift()
    this.#count(request?.isHead ? String(reply.status) : kindOf(reply))
    if (request) request.resolve(reply)
    else this.#early.push(reply)
  }
}
