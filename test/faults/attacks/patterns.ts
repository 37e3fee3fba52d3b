import { setTimeout as pause } from 'node:timers/promises'
import type { Target } from './attack.ts'
import { Connection } from './connection.ts'

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
