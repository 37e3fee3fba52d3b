import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { errors } from '../../../src/errors.ts'
import type { Replies, Target } from './attack.ts'

/** `status` is 0 if the connection was closed without a reply. */
export type Reply = { status: number; retryAfter: number; body: string }

/** Missing replies, and replies that a client cannot act on. */
const BAD = /^(cut|not answered|malformed)/

/** @returns a violation for each kind of bad reply. */
export const replyViolations = (replies: Replies): string[] =>
  Object.entries(replies).flatMap(([reply, count]) => (BAD.test(reply) ? [`${reply}: ${count} times`] : []))

/** @returns a connected socket, whose errors show as its close */
export const dial = async (port: number): Promise<Socket> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

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
  /** Length of the current reply in bytes, undefined until its head has arrived. */
  #replyLength: number | undefined

  constructor(socket: Socket, replies: Replies) {
    this.#socket = socket
    this.#replies = replies
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('close', () => this.#end())
  }

  /** @throws an error if the port does not accept connections */
  static async open({ port, replies }: Pick<Target, 'port' | 'replies'>): Promise<Connection> {
    return new Connection(await dial(port), replies)
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
      resolve({ status: 0, retryAfter: 0, body: '' })
    }
  }

  #count(reply: string) {
    this.#replies[reply] = (this.#replies[reply] ?? 0) + 1
  }

  #receive(chunk: Buffer) {
    this.#received.push(chunk)
    this.#length += chunk.length
    while (this.#length > 0) {
      this.#replyLength ??= this.#measure()
      if (this.#replyLength === undefined || this.#length < this.#replyLength) return
      const all = Buffer.concat(this.#received)
      const reply = all.subarray(0, this.#replyLength)
      this.#received = [all.subarray(this.#replyLength)]
      this.#length -= this.#replyLength
      this.#replyLength = undefined
      this.#complete(reply)
    }
  }

  /** @returns the length of the next reply in bytes, or undefined until its head has arrived. */
  #measure(): number | undefined {
    const all = Buffer.concat(this.#received)
    this.#received = [all]
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const length = /\r\ncontent-length: (\d+)/i.exec(all.toString('latin1', 0, end))?.[1]
    return end + 4 + (this.#waiting[0]?.isHead ? 0 : Number(length ?? 0))
  }

  #complete(bytes: Buffer) {
    const end = bytes.indexOf('\r\n\r\n')
    const head = bytes.toString('latin1', 0, end)
    const status = Number(head.slice(9, 12))
    const retryAfter = Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1] ?? 0)
    const body = bytes.toString('utf8', end + 4)
    const request = this.#waiting.shift()
    this.#count(request?.isHead ? String(status) : describe(status, retryAfter, body))
    const reply = { status, retryAfter, body }
    if (request) request.resolve(reply)
    else this.#early.push(reply)
  }
}

/** @returns the kind of a reply: `malformed` if it violates the contract. */
const describe = (status: number, retryAfter: number, body: string): string => {
  if (status < 300) return String(status)
  const code = codeOf(body)
  const mayWait = status === 429 || status === 503
  const isValid = errors[code as keyof typeof errors]?.status === status && (!mayWait || retryAfter > 0)
  return `${isValid ? '' : 'malformed '}${status} ${code}`
}

const codeOf = (body: string): string => {
  try {
    return String((JSON.parse(body) as { code?: unknown }).code)
  } catch {
    return 'without a problem'
  }
}

/** A server is idle if this many replies in a row take less than PROMPT_MS. The wait ends after SETTLE_MS. */
const [PROMPT_MS, PROMPTLY, SETTLE_MS] = [25, 5, 10_000]

/** Waits until the server has read all bytes and replies promptly. */
const settle = async (target: Target) => {
  const end = performance.now() + SETTLE_MS
  const connection = await Connection.open({ port: target.port, replies: {} })
  for (let prompt = 0; prompt < PROMPTLY && performance.now() < end; await pause(PROMPT_MS)) {
    const started = performance.now()
    await connection.request('GET /health/live HTTP/1.1\r\nHost: load\r\n\r\n')
    prompt = performance.now() - started < PROMPT_MS ? prompt + 1 : 0
  }
  connection.close()
}

/**
 * Sends the same request over `count` connections without its last byte. When the server has read these bytes, sends all last
 * bytes in one turn. Resolves when every request has its reply.
 */
export const completeAtOnce = async (target: Target, count: number, request: Buffer): Promise<void> => {
  const connections = await Connection.openMany(target, count)
  for (const connection of connections) connection.write(request.subarray(0, -1))
  for (const connection of connections) await connection.flushed()
  await settle(target)
  await Promise.all(connections.map((connection) => connection.request(request.subarray(-1))))
  for (const connection of connections) connection.close()
}

/**
 * Keeps one request in flight on each of `loops` connections, for the span of the attack.
 * @param next returns the request of a turn, counted from 0
 */
export const keepRequesting = async (target: Target, loops: number, next: (turn: number) => string) => {
  const end = performance.now() + target.span
  let turn = 0
  const loop = async (first: Connection) => {
    let connection = first
    while (performance.now() < end) {
      if (connection.isClosed) connection = await Connection.open(target)
      await connection.request(next(turn++))
    }
    connection.close()
  }
  await Promise.all((await Connection.openMany(target, loops)).map(loop))
}
