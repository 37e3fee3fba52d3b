import { WebSocket } from 'ws'
import type { ServerFrame } from '../../schemas/frames.ts'
import { begin, job } from './fork.ts'

/** What a person who talks with themselves saw while others came back. */
export type Seen = { sent: number; answered: number; received: number; p99_ms: number; slowest_ms: number }

const EACH_MS = 50
/** Milliseconds that an answer may still take when no more is sent. */
const PATIENCE_MS = 30_000

/** Sends from one socket to another of the same person, and takes the time until the other has it. */
const { url, token, name } = job() as { url: string; token: string; name: string }

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
  })

const sentAt: number[] = []
const answered = new Set<number>()
const received: number[] = []
const times: number[] = []
const sending = await open((frame) => {
  if (frame.type === 'ack') answered.add(Number(frame.id))
})
await open((frame) => {
  if (frame.type !== 'message') return
  const key = Number(frame.content)
  received.push(key)
  times.push(performance.now() - (sentAt[key] as number))
})
const timer = setInterval(() => {
  const key = sentAt.push(performance.now()) - 1
  sending.send(JSON.stringify({ id: String(key), receiver_username: name, content: String(key) }))
}, EACH_MS)
const end = await begin('sending')
clearInterval(timer)
const last = performance.now() + PATIENCE_MS
while (answered.size + received.length < sentAt.length * 2 && performance.now() < last) {
  await new Promise((resolve) => setTimeout(resolve, 10))
}
times.sort((a, b) => a - b)
end({
  sent: sentAt.length,
  answered: answered.size,
  // In order and once each, or they don't count.
  received: received.filter((key, index) => key === index).length,
  p99_ms: Math.round(times[Math.floor(times.length * 0.99)] ?? 0),
  slowest_ms: Math.round(times.at(-1) ?? 0),
} satisfies Seen)
