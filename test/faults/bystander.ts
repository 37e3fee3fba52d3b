import { setTimeout as pause } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { openWebSocket } from '../support/web-socket.ts'
import type { BystanderFigures } from './bystander-figures.ts'
import { begin, job } from './fork.ts'

/** Milliseconds to wait for missing messages after the last send. */
const PATIENCE_MS = 30_000

/**
 * Sends from one socket to another socket of the same user, and measures the time to delivery. A message that is missing at the
 * end counts with its waiting time.
 */
const { url, token, name, interval_ms, key } = job() as {
  url: string
  token: string
  name: string
  interval_ms: number
  /** Prefix of the contents, which separates bystanders of the same user. */
  key: string
}

const sentAt: number[] = []
const acknowledged = new Set<number>()
const times = new Map<number, number>()
const violations: string[] = []
const closed = new AbortController()
let [refused, newest, isDone] = [0, 0, false]

const open = (onFrame: (frame: ServerFrame) => void) =>
  new Promise<WebSocket>((resolve) => {
    const socket = openWebSocket(url, token)
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame
      if (frame.type === 'hello') resolve(socket)
      onFrame(frame)
    })
    socket.on('error', () => {})
    socket.on('close', (code) => {
      closed.abort()
      if (!isDone) violations.push(`a socket of a bystander was closed with ${code}`)
    })
  })

const sending = await open((frame) => {
  if (frame.type === 'ack') acknowledged.add(Number(frame.id))
  if (frame.type !== 'error') return
  const { id, retryable, retry_after } = frame
  if (!retryable || !retry_after) {
    violations.push(`a bystander got ${JSON.stringify(frame)}`)
    return
  }
  refused += 1
  setTimeout(send, retry_after * 1000, Number(id))
})
await open((frame) => {
  if (frame.type !== 'message') return
  const index = Number(frame.content.slice(key.length + 1))
  if (times.has(index)) violations.push(`a bystander received message ${index} twice`)
  if (frame.id <= newest) violations.push(`a bystander received ${frame.id} after ${newest}`)
  newest = frame.id
  times.set(index, performance.now() - (sentAt[index] as number))
})

const send = (index: number) => {
  if (sending.readyState !== sending.OPEN) return
  const content = `${key} ${index}`
  sending.send(JSON.stringify({ id: String(index), receiver_username: name, client_id: content, content }))
}
const timer = setInterval(() => {
  if (closed.signal.aborted) return
  send(sentAt.push(performance.now()) - 1)
}, interval_ms)
const end = await begin('sending')
clearInterval(timer)
const last = performance.now() + PATIENCE_MS
while (
  acknowledged.size + times.size < sentAt.length * 2 &&
  performance.now() < last &&
  !closed.signal.aborted
) {
  await pause(10)
}
isDone = true
const now = performance.now()
const sorted = sentAt.map((at, index) => times.get(index) ?? now - at).sort((a, b) => a - b)
const rank = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)
end({
  sent: sentAt.length,
  acknowledged: acknowledged.size,
  received: times.size,
  refused,
  p50_ms: rank(0.5),
  p99_ms: rank(0.99),
  slowest_ms: Math.round(sorted.at(-1) ?? 0),
  violations,
} satisfies BystanderFigures)
