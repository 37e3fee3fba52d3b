import { WebSocket } from 'ws'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { begin, job } from './fork.ts'

/**
 * What a person who talks with themselves saw meanwhile. A message that was refused for a while is sent again after the
 * hint, and its time counts from the first time that it was sent.
 */
export type Seen = {
  sent: number
  answered: number
  received: number
  /** Refusals with a hint. */
  refused: number
  p50_ms: number
  p99_ms: number
  slowest_ms: number
  /** What may not be: a message twice, ids that fall, a refusal without a hint, the end of a socket. */
  wrong: string[]
}

/** Milliseconds that an answer may still take when no more is sent. */
const PATIENCE_MS = 30_000

/**
 * Sends from one socket to another of the same person, and takes the time until the other has it. What has not come at the
 * end counts with the time that it has waited.
 */
const { url, token, name, each_ms, key } = job() as {
  url: string
  token: string
  name: string
  each_ms: number
  /** Of its messages, where several bystanders are the same person. */
  key: string
}

const sentAt: number[] = []
const answered = new Set<number>()
const times = new Map<number, number>()
const wrong: string[] = []
const closed = new AbortController()
let [refused, newest, isOver] = [0, 0, false]

const open = (onFrame: (frame: ServerFrame) => void) =>
  new Promise<WebSocket>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['messenger.v1'], {
      headers: { authorization: `Bearer ${token}` },
    })
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame
      if (frame.type === 'hello') resolve(socket)
      onFrame(frame)
    })
    socket.on('error', () => {})
    socket.on('close', (code) => {
      closed.abort()
      if (!isOver) wrong.push(`a socket of a bystander was closed with ${code}`)
    })
  })

const sending = await open((frame) => {
  if (frame.type === 'ack') answered.add(Number(frame.id))
  if (frame.type !== 'error') return
  const { id, retryable, retry_after } = frame
  if (!retryable || !retry_after) {
    wrong.push(`a bystander got ${JSON.stringify(frame)}`)
    return
  }
  refused += 1
  setTimeout(send, retry_after * 1000, Number(id))
})
await open((frame) => {
  if (frame.type !== 'message') return
  const index = Number(frame.content.slice(key.length + 1))
  if (times.has(index)) wrong.push(`a bystander received message ${index} twice`)
  if (frame.id <= newest) wrong.push(`a bystander received ${frame.id} after ${newest}`)
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
}, each_ms)
const end = await begin('sending')
clearInterval(timer)
const last = performance.now() + PATIENCE_MS
while (answered.size + times.size < sentAt.length * 2 && performance.now() < last && !closed.signal.aborted) {
  await new Promise((resolve) => setTimeout(resolve, 10))
}
isOver = true
const now = performance.now()
const sorted = sentAt.map((at, index) => times.get(index) ?? now - at).sort((a, b) => a - b)
const rank = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0)
end({
  sent: sentAt.length,
  answered: answered.size,
  received: times.size,
  refused,
  p50_ms: rank(0.5),
  p99_ms: rank(0.99),
  slowest_ms: Math.round(sorted.at(-1) ?? 0),
  wrong,
} satisfies Seen)
