import { WebSocket } from 'ws'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/frames.ts'
import { startFaulty } from '../support/fault.ts'
import type { Owner } from '../support/process.ts'
import { call } from '../support/server.ts'

/** Sends in flight of one sender. */
const WINDOW = 64

/**
 * Sends with some senders, then with five times as many, while something looks whether the server is alive; then once more
 * with a disk that takes 300 ms a commit.
 */
export const underPressure = async (owner: Owner, folder: string, seconds: number) => {
  const server = await startFaulty(owner, folder, {
    RATE_LIMIT_LOGIN: '0',
    SOCKET_FRAMES_PER_SECOND: '1000000',
    MAX_QUEUE: '4000',
  })
  const sessions: Session[] = []
  for (let index = 0; index < 80; index += 1) {
    const { body } = await call<Session>(server.url, 'POST', '/login', { body: { username: `s-${index}` } })
    sessions.push(body)
  }
  const run = async (senders: number) => {
    const stop = new AbortController()
    const counts = { accepted: 0, refused: 0 }
    const work = sessions.slice(0, senders).map((session) => press(server.url, session, counts, stop.signal))
    const alive = watch(server.url, stop.signal)
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    stop.abort()
    await Promise.all(work)
    return {
      accepted_per_second: Math.round(counts.accepted / seconds),
      refused_per_second: Math.round(counts.refused / seconds),
      slowest_live_ms: await alive,
    }
  }
  await run(16)
  const peak = await run(16)
  const fivefold = await run(80)
  server.begin('slow')
  const slow_disk = await run(16)
  server.end()
  server.child.kill('SIGTERM')
  await server.exited
  return { peak, fivefold, slow_disk }
}

/** Keeps a window of sends in flight; what is refused is tried again after the hint. */
const press = (
  url: string,
  { token, user }: Session,
  counts: { accepted: number; refused: number },
  signal: AbortSignal,
) =>
  new Promise<void>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['messenger.v1'], {
      headers: { authorization: `Bearer ${token}` },
    })
    const frame = JSON.stringify({ receiver_username: user.username, content: 'as much as there is' })
    const next = () => {
      if (signal.aborted) socket.close()
      else if (socket.readyState === socket.OPEN) socket.send(frame)
    }
    socket.on('open', () => {
      for (let index = 0; index < WINDOW; index += 1) next()
    })
    socket.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString()) as ServerFrame
      if (reply.type === 'ack') {
        counts.accepted += 1
        next()
      } else if (reply.type === 'error') {
        counts.refused += 1
        setTimeout(next, (reply.retry_after ?? 1) * 1000 * Math.random())
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    signal.addEventListener('abort', () => socket.close())
  })

/** @returns the longest that /health/live took, in ms. */
const watch = async (url: string, signal: AbortSignal): Promise<number> => {
  let slowest = 0
  while (!signal.aborted) {
    const started = performance.now()
    await call(url, 'GET', '/health/live')
    slowest = Math.max(slowest, performance.now() - started)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return Math.round(slowest)
}
