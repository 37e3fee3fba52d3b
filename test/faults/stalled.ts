import { once } from 'node:events'
import type { WebSocket } from 'ws'
import type { Conversation } from '../../schemas/conversation.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { readMetrics } from '../support/metrics.ts'
import { type Owner, startProcess } from '../support/process.ts'
import { call, logIn } from '../support/server.ts'
import { openWebSocket } from '../support/web-socket.ts'

export type StalledPlan = {
  folder: string
  readers: number
  heartbeat_ms: number
  /** Minimum of MiB to send to each reader. */
  mebibytes: number
  /** Growth limit of the server in MiB. */
  most: number
}

/** Bytes of a message. A few hundred messages exceed the kernel buffers of a reader. */
const BYTES = 50_000
const WINDOW = 8
/** Margin in milliseconds beyond two heartbeats, for a busy machine. */
const SLACK_MS = 10_000
/** Number of readers that reconnect and receive every message. */
const RETURNING = 5

/**
 * Makes the sockets of a busy group stop reading, as the sockets of a peer that disappeared, and keeps sending. Each socket must
 * be closed within two heartbeats, the memory must stay within its limit, and a reader that resumes with its cursor must receive
 * every message once.
 */
export const stalledReaders = async (owner: Owner, plan: StalledPlan) => {
  const { readers, heartbeat_ms } = plan
  const { url, child, exited } = await startProcess(owner, plan.folder, {
    RATE_LIMIT_LOGIN: '0',
    RATE_LIMIT_SEND: '0',
    MAX_MESSAGE_LENGTH: String(BYTES),
    MAX_SOCKETS_PER_USER: '100000',
    HEARTBEAT_MS: String(heartbeat_ms),
    // The sender exceeds the default frame budget for the whole run.
    SOCKET_FRAMES_PER_SECOND: '1000000',
    // Overload control is off, because other work can keep the machine busy.
    MAX_LOOP_DELAY_MS: '0',
  })
  const login = async (username: string) => (await logIn(url, username)).token
  const metrics = async () => {
    const read = await readMetrics(url)
    return {
      sockets: read('messenger_sockets'),
      memory_mib: Math.round(read('process_resident_memory_bytes') / 1_048_576),
      silent: read('messenger_sockets_closed_total{code="4408"}'),
      slow: read('messenger_sockets_closed_total{code="4410"}'),
    }
  }

  const sender = await login('sender')
  const people = Array.from({ length: Math.min(readers, 200) }, (_, index) => `reader-${index}`)
  const tokens: string[] = []
  for (const name of people) tokens.push(await login(name))
  const { body: group } = await call<Conversation>(url, 'POST', '/groups', {
    token: sender,
    body: { title: 'busy', members: people },
  })
  const stalled: { token: string; cursor: string; socket: WebSocket }[] = []
  const sending = openWebSocket(url, sender)
  await once(sending, 'message')
  const before = await metrics()
  const started = performance.now()
  for (let index = 0; index < readers; index += 1) {
    const token = tokens[index % tokens.length] as string
    const socket = openWebSocket(url, token)
    const [hello] = (await once(socket, 'message')) as [Buffer]
    socket.pause()
    socket.on('error', () => {})
    stalled.push({ token, cursor: (JSON.parse(hello.toString()) as { cursor: string }).cursor, socket })
  }
  const opened = performance.now()

  const ids: number[] = []
  const violations: string[] = []
  let notify = () => {}
  sending.on('message', (data: Buffer) => {
    const reply = JSON.parse(data.toString()) as ServerFrame
    if (reply.type === 'ack' && reply.message) ids.push(reply.message.id)
    if (reply.type === 'error') violations.push(`unexpected error: ${data.toString()}`)
    notify()
  })
  sending.on('close', (code) => {
    violations.push(`the sending socket was closed with ${code}`)
    notify()
  })
  const frame = JSON.stringify({ conversation_id: group.id, content: 'x'.repeat(BYTES) })
  let [sent, most, closed_after_ms] = [0, before.memory_mib, 0]
  const wanted = Math.ceil((plan.mebibytes * 1_048_576) / BYTES)
  const patience = heartbeat_ms * 2 + SLACK_MS
  for (;;) {
    const { sockets, memory_mib } = await metrics()
    most = Math.max(most, memory_mib)
    if (closed_after_ms === 0 && sockets <= 1) closed_after_ms = Math.round(performance.now() - started)
    const isLate = performance.now() - opened > patience
    if (isLate && closed_after_ms === 0)
      violations.push(`${sockets - 1} readers are still open after ${patience} ms`)
    if (violations.length > 0 || (closed_after_ms > 0 && ids.length >= wanted)) break
    const expected = ids.length + WINDOW
    for (let index = 0; index < WINDOW; index += 1) sending.send(frame)
    sent += WINDOW
    while (ids.length < expected && violations.length === 0) {
      await new Promise<void>((resolve) => {
        notify = resolve
      })
    }
  }
  sending.removeAllListeners('close')
  for (const { socket } of stalled) socket.terminate()
  const growth_mib = most - before.memory_mib
  if (growth_mib > plan.most) violations.push(`the memory grew by ${growth_mib} MiB`)
  const after = await metrics()

  for (const { token, cursor } of stalled.slice(0, RETURNING)) {
    const missed: number[] = []
    const socket = openWebSocket(url, token, { cursor })
    await new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const reply = JSON.parse(data.toString()) as ServerFrame
        if (reply.type === 'message') missed.push(reply.id)
        if (reply.type === 'caught_up') socket.close()
      })
      socket.on('close', () => resolve())
      socket.on('error', () => {})
    })
    if (missed.join() !== ids.join())
      violations.push(`a resumed reader received ${missed.length} of ${ids.length} messages`)
  }
  child.kill('SIGTERM')
  await exited
  return {
    readers,
    sent,
    closed_after_ms,
    silent: after.silent - before.silent,
    slow: after.slow - before.slow,
    memory_before_mib: before.memory_mib,
    growth_mib,
    violations,
  }
}
