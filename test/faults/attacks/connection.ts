import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { errors } from '../../../src/errors.ts'
import { type Answers, pause, type Target } from './attack.ts'

/** `status` is 0 where the connection was closed without an answer. */
export type Answer = { status: number; retryAfter: number; body: string }

/** Answers that are none, or that a client could not act on. */
const BAD = /^(cut|not answered|malformed)/

/** @returns what was wrong with the answers. */
export const wrongAnswers = (answers: Answers): string[] =>
  Object.entries(answers).flatMap(([answer, count]) =>
    BAD.test(answer) ? [`${answer}: ${count} times`] : [],
  )

/** An HTTP/1.1 connection that sends any bytes, and counts what comes back. Any number of requests may be pipelined. */
export class Connection {
  isClosed = false
  readonly #socket: Socket
  readonly #answers: Answers
  readonly #waiting: { isHead: boolean; resolve: (answer: Answer) => void }[] = []
  /** Answers to requests of which the rest was not sent yet. */
  readonly #early: Answer[] = []
  #received: Buffer[] = []
  #length = 0
  /** Bytes from which on the reply is whole; undefined before its head has come. */
  #whole: number | undefined

  constructor(socket: Socket, answers: Answers) {
    this.#socket = socket
    this.#answers = answers
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', () => {})
    socket.on('close', () => this.#end())
  }

  /** @throws when nobody listens */
  static async open({ port, answers }: Pick<Target, 'port' | 'answers'>): Promise<Connection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new Connection(socket, answers)
  }

  /** Opens them in steps, so that the kernel does not drop any from the queue of those that connect. */
  static async openMany(target: Target, count: number): Promise<Connection[]> {
    const opened: Connection[] = []
    while (opened.length < count) {
      const step = Math.min(64, count - opened.length)
      opened.push(...(await Promise.all(Array.from({ length: step }, () => Connection.open(target)))))
    }
    return opened
  }

  write(bytes: string | Uint8Array) {
    this.#socket.write(bytes)
  }

  /** Resolves when the kernel has taken all that was written, or the connection is closed. */
  async flushed(): Promise<void> {
    while (this.#socket.writableLength > 0 && !this.isClosed) await pause(5)
  }

  /** Sends a request, or the rest of one. @returns its answer */
  ask(bytes: string | Uint8Array, isHead = false): Promise<Answer> {
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

  /** Reads nothing more. */
  stopReading() {
    this.#socket.pause()
  }

  /** Waits for no answer any more, and leaves it open: what was asked counts as not answered. */
  giveUp() {
    this.#settle('not answered')
  }

  /** Closes it; what was asked counts as not answered. */
  close() {
    this.giveUp()
    this.#socket.destroy()
  }

  /** Closes it; what was asked does not count. */
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

  #count(answer: string) {
    this.#answers[answer] = (this.#answers[answer] ?? 0) + 1
  }

  #receive(chunk: Buffer) {
    this.#received.push(chunk)
    this.#length += chunk.length
    while (this.#length > 0) {
      this.#whole ??= this.#measure()
      if (this.#whole === undefined || this.#length < this.#whole) return
      const all = Buffer.concat(this.#received)
      const reply = all.subarray(0, this.#whole)
      this.#received = [all.subarray(this.#whole)]
      this.#length -= this.#whole
      this.#whole = undefined
      this.#answer(reply)
    }
  }

  /** @returns the bytes of the reply that begins to come, if its head is there. */
  #measure(): number | undefined {
    const all = Buffer.concat(this.#received)
    this.#received = [all]
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const length = /\r\ncontent-length: (\d+)/i.exec(all.toString('latin1', 0, end))?.[1]
    return end + 4 + (this.#waiting[0]?.isHead ? 0 : Number(length ?? 0))
  }

  #answer(reply: Buffer) {
    const end = reply.indexOf('\r\n\r\n')
    const head = reply.toString('latin1', 0, end)
    const status = Number(head.slice(9, 12))
    const retryAfter = Number(/\r\nretry-after: (\d+)/i.exec(head)?.[1] ?? 0)
    const body = reply.toString('utf8', end + 4)
    const asked = this.#waiting.shift()
    this.#count(asked?.isHead ? String(status) : describe(status, retryAfter, body))
    const answer = { status, retryAfter, body }
    if (asked) asked.resolve(answer)
    else this.#early.push(answer)
  }
}

/** @returns how an answer is counted: `malformed` where it is not what the contract promises. */
const describe = (status: number, retryAfter: number, body: string): string => {
  if (status < 300) return String(status)
  const code = codeOf(body)
  const mayWait = status === 429 || status === 503
  const isWell = errors[code as keyof typeof errors]?.status === status && (!mayWait || retryAfter > 0)
  return `${isWell ? '' : 'malformed '}${status} ${code}`
}

const codeOf = (body: string): string => {
  try {
    return String((JSON.parse(body) as { code?: unknown }).code)
  } catch {
    return 'without a problem'
  }
}

/** Milliseconds of an answer, several times in a row, by which a server has nothing else to do; and the most to wait for that. */
const [PROMPT_MS, PROMPTLY, SETTLE_MS] = [25, 5, 10_000]

/** Waits until the server has read what the kernel has taken, so that it answers promptly again. */
const settle = async (target: Target) => {
  const end = performance.now() + SETTLE_MS
  const connection = await Connection.open({ port: target.port, answers: {} })
  for (let prompt = 0; prompt < PROMPTLY && performance.now() < end; await pause(PROMPT_MS)) {
    const asked = performance.now()
    await connection.ask('GET /health/live HTTP/1.1\r\nHost: load\r\n\r\n')
    prompt = performance.now() - asked < PROMPT_MS ? prompt + 1 : 0
  }
  connection.close()
}

/**
 * Sends the same request over `count` connections but for the last byte; once the server has read that, the last byte of
 * all in one turn. Resolves when all are answered.
 */
export const completeAtOnce = async (target: Target, count: number, request: Buffer): Promise<void> => {
  const connections = await Connection.openMany(target, count)
  for (const connection of connections) connection.write(request.subarray(0, -1))
  for (const connection of connections) await connection.flushed()
  await settle(target)
  await Promise.all(connections.map((connection) => connection.ask(request.subarray(-1))))
  for (const connection of connections) connection.close()
}

/** Keeps one request in flight on each of `loops` connections, for the span of the attack. @param next given a count from 0 on */
export const keepAsking = async (target: Target, loops: number, next: (turn: number) => string) => {
  const end = performance.now() + target.span
  let turn = 0
  const loop = async (first: Connection) => {
    let connection = first
    while (performance.now() < end) {
      if (connection.isClosed) connection = await Connection.open(target)
      await connection.ask(next(turn++))
    }
    connection.close()
  }
  await Promise.all((await Connection.openMany(target, loops)).map(loop))
}
