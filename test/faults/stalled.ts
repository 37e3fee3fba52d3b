import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { type Owner, startProcess } from '../support/process.ts'
import { call } from '../support/server.ts'

export type StalledPlan = {
  folder: string
  readers: number
  heartbeat_ms: number
  /** MiB that are sent to each reader at least. */
  mebibytes: number
  /** MiB that the server may grow by. */
  most: number
}

/** Bytes of a message: some hundred of them are more than the kernel takes for a reader. */
const BYTES = 50_000
const WINDOW = 8
/** Milliseconds past two heartbeats after which a reader that is not cut off counts: a machine may be busy. */
const SLACK_MS = 10_000
/** Of the readers so many come back: each gets all of it. */
const RETURNING = 5

/**
 * Has the sockets of a busy group stop reading, as those of a peer do that vanished, and goes on sending. Each must be cut
 * off within two heartbeats, the memory stay as it was, and who comes back with its cursor get every message once.
 */
export const stalledReaders = async (owner: Owner, plan: StalledPlan) => {
  const { readers, heartbeat_ms } = plan
  const { url, child, exited } = await startProcess(owner, plan.folder, {
    RATE_LIMIT_LOGIN: '0',
    RATE_LIMIT_SEND: '0',
    MAX_MESSAGE_LENGTH: String(BYTES),
    MAX_SOCKETS_PER_USER: '100000',
    HEARTBEAT_MS: String(heartbeat_ms),
    // Who writes goes on for longer than a flood may.
    SOCKET_FRAMES_PER_SECOND: '1000000',
    // A busy machine is no overload of the server.
    MAX_LOOP_DELAY_MS: '0',
  })
  const login = async (username: string) =>
    (await call<Session>(url, 'POST', '/login', { body: { username } })).body.token
  const open = (token: string, cursor?: string) =>
    new WebSocket(`${url.replace('http', 'ws')}/ws${cursor ? `?cursor=${cursor}` : ''}`, ['messenger.v1'], {
      headers: { authorization: `Bearer ${token}` },
    })
  const metrics = async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    const read = (name: string) =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1] ?? 0,
      )
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
  const sending = open(sender)
  await once(sending, 'message')
  const before = await metrics()
  const started = performance.now()
  for (let index = 0; index < readers; index += 1) {
    const token = tokens[index % tokens.length] as string
    const socket = open(token)
    const [hello] = (await once(socket, 'message')) as [Buffer]
    socket.pause()
    socket.on('error', () => {})
    stalled.push({ token, cursor: (JSON.parse(hello.toString()) as { cursor: string }).cursor, socket })
  }
  const opened = performance.now()

  const ids: number[] = []
  const violations: string[] = []
  let answered = () => {}
  sending.on('message', (data: Buffer) => {
    const reply = JSON.parse(data.toString()) as ServerFrame
    if (reply.type === 'ack' && reply.message) ids.push(reply.message.id)
    if (reply.type === 'error') violations.push(`an error: ${data.toString()}`)
    answered()
  })
  sending.on('close', (code) => {
    violations.push(`who writes was closed with ${code}`)
    answered()
  })
  const frame = JSON.stringify({ conversation_id: group.id, content: 'x'.repeat(BYTES) })
  let [sent, most, cut_after_ms] = [0, before.memory_mib, 0]
  const wanted = Math.ceil((plan.mebibytes * 1_048_576) / BYTES)
  const patience = heartbeat_ms * 2 + SLACK_MS
  for (;;) {
    const { sockets, memory_mib } = await metrics()
    most = Math.max(most, memory_mib)
    if (cut_after_ms === 0 && sockets <= 1) cut_after_ms = Math.round(performance.now() - started)
    const isLate = performance.now() - opened > patience
    if (isLate && cut_after_ms === 0) violations.push(`${sockets - 1} readers are open after ${patience} ms`)
    if (violations.length > 0 || (cut_after_ms > 0 && ids.length >= wanted)) break
    const answers = ids.length + WINDOW
    for (let index = 0; index < WINDOW; index += 1) sending.send(frame)
    sent += WINDOW
    while (ids.length < answers && violations.length === 0) {
      await new Promise<void>((resolve) => {
        answered = resolve
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
    const socket = open(token, cursor)
    await new Promise<void>((resolve) => {
      socket.on('message', (data: Buffer) => {
        const reply = JSON.parse(data.toString()) as ServerFrame
        if (reply.type === 'message') missed.push(reply.id)
        if (reply.type === 'caught_up') socket.close()
      })
      socket.on('close', () => resolve())
      socket.on('error', () => {})
    })
    if (missed.join() !== ids.join()) violations.push(`of ${ids.length} messages ${missed.length} came again`)
  }
  child.kill('SIGTERM')
  await exited
  return {
    readers,
    sent,
    cut_after_ms,
    silent: after.silent - before.silent,
    slow: after.slow - before.slow,
    memory_before_mib: before.memory_mib,
    growth_mib,
    violations,
  }
}
