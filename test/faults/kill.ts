import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { freePort, type Owner, startProcess } from '../support/process.ts'
import { call, logIn } from '../support/server.ts'
import { openWebSocket } from '../support/web-socket.ts'

export type KillPlan = {
  folder: string
  /** Total of messages to send. */
  sends: number
  kills: number
  senders: number
  /** Unacknowledged sends of one sender. */
  window: number
  /** Seconds after which the run is abandoned with a violation. */
  deadline: number
}

export type KillFigures = {
  sends: number
  kills: number
  /** Acks of retries after a kill whose message was already stored. */
  duplicates: number
  /** Sends that were refused for a while and retried after the hint. */
  refused: number
  seconds: number
  /** From the first start, in an empty folder, until the process is ready. */
  fresh_start_ms: number
  /** From each start after a kill until the process is ready. */
  starts_ms: number[]
  violations: string[]
}

export type Sender = {
  token: string
  name: string
  /** Acknowledged message ids by the number of the send, which is also its key. */
  acknowledged: Map<number, number>
  /** Acknowledged ids that were not checked in the file yet. */
  unchecked: Map<number, number>
  /** Number of the next new send. Earlier sends without an ack are retried, in order, after the restart. */
  next: number
  /** Whether a send was refused. Its retry follows later sends, so the order is not checked. */
  isRefused: boolean
}

type Shared = {
  figures: { duplicates: number; refused: number }
  violations: string[]
  /** Ends every open socket. */
  end: AbortSignal
}

/** The environment of servers under load: no limit refuses a send. */
export const LOAD_ENVIRONMENT = {
  RATE_LIMIT_SEND: '0',
  RATE_LIMIT_LOGIN: '0',
  SOCKET_FRAMES_PER_SECOND: '1000000',
  // Overload control is off, because a busy machine would cause refusals, whose order is not checked.
  MAX_LOOP_DELAY_MS: '0',
  LOG_LEVEL: 'info',
}

export const createSenders = async (
  count: number,
  login: (name: string) => Promise<{ token: string }>,
): Promise<Sender[]> => {
  const senders: Sender[] = []
  for (let index = 0; index < count; index += 1) {
    const name = `sender-${index}`
    const { token } = await login(name)
    senders.push({ token, name, acknowledged: new Map(), unchecked: new Map(), next: 0, isRefused: false })
  }
  return senders
}

/**
 * Sends over sockets while the process is killed at random moments. After each kill it checks the file: every acknowledged
 * message is stored once, ids rise in the order of each sender, and `integrity_check` finds no error. Unacknowledged sends are
 * retried under their keys, and refused sends after the hint.
 */
export const killUnderLoad = async (owner: Owner, plan: KillPlan): Promise<KillFigures> => {
  const violations: string[] = []
  const port = await freePort()
  const env = { ...LOAD_ENVIRONMENT, PORT: String(port) }
  const start = async () => {
    const before = performance.now()
    const server = await startProcess(owner, plan.folder, env)
    const { status } = await call(server.url, 'GET', '/health/ready')
    if (status !== 200) violations.push(`not ready after the start: ${status}`)
    return { server, ms: Math.round(performance.now() - before) }
  }
  let { server, ms: fresh_start_ms } = await start()
  const perSender = Math.ceil(plan.sends / plan.senders)
  const senders = await createSenders(plan.senders, (name) => logIn(server.url, name))
  const all = perSender * plan.senders
  const total = () => senders.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  const figures = { duplicates: 0, refused: 0 }
  const end = AbortSignal.timeout(plan.deadline * 1000)
  const shared: Shared = { figures, violations, end }
  const starts_ms: number[] = []
  const started = performance.now()
  while (total() < all || starts_ms.length < plan.kills) {
    if (end.aborted) {
      violations.push(`not done after ${plan.deadline} s: ${total()} acknowledged, ${starts_ms.length} kills`)
      break
    }
    if (server.child.exitCode !== null) {
      violations.push(`the server ended by itself with code ${server.child.exitCode}: ${server.output()}`)
      break
    }
    const over = new AbortController()
    const { url } = server
    const work = Promise.all(senders.map((sender) => send(url, sender, plan, perSender, shared))).finally(
      () => over.abort(),
    )
    if (starts_ms.length < plan.kills) {
      // A random moment in the share of the remaining sends for this kill.
      const before = total()
      const goal = before + Math.random() * 2 * ((all - before) / (plan.kills - starts_ms.length + 1))
      while (!over.signal.aborted && total() < Math.min(goal, all - 1)) await pause(2)
      server.child.kill('SIGKILL')
      await server.exited
      await work
      check(plan.folder, senders, violations)
      const again = await start()
      server = again.server
      starts_ms.push(again.ms)
    } else await work
  }
  const seconds = Math.round((performance.now() - started) / 1000)
  server.child.kill('SIGTERM')
  await server.exited
  check(plan.folder, senders, violations)
  checkEnd(plan.folder, senders, perSender, violations)
  return {
    sends: total(),
    kills: starts_ms.length,
    seconds,
    ...figures,
    fresh_start_ms,
    starts_ms,
    violations,
  }
}

/** Sends until every message is acknowledged, the connection is lost, or the run ends. */
export const send = (
  url: string,
  sender: Sender,
  { window }: Pick<KillPlan, 'window'>,
  goal: number,
  { figures, violations, end }: Shared,
) =>
  new Promise<void>((resolve) => {
    const { name, acknowledged, unchecked } = sender
    const socket = openWebSocket(url, sender.token)
    const retries: number[] = []
    for (let key = 0; key < sender.next; key += 1) if (!acknowledged.has(key)) retries.push(key)
    let waiting = 0
    let newest = 0
    const sendKey = (key: number) => {
      const [content, client_id] = [`message ${key}`, `${name}-${key}`]
      socket.send(JSON.stringify({ id: String(key), receiver_username: name, client_id, content }))
    }
    const fill = () => {
      while (waiting < window) {
        const key = retries.shift() ?? (sender.next < goal ? sender.next++ : undefined)
        if (key === undefined) break
        waiting += 1
        sendKey(key)
      }
      if (waiting === 0) socket.close()
    }
    socket.on('open', fill)
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame
      const key = 'id' in frame ? Number(frame.id) : 0
      if (frame.type === 'error' && frame.retryable && frame.retry_after) {
        figures.refused += 1
        sender.isRefused = true
        setTimeout(() => {
          if (socket.readyState === socket.OPEN) sendKey(key)
        }, frame.retry_after * 1000)
      } else if (frame.type === 'error') {
        violations.push(`unexpected error: ${data.toString()}`)
        waiting -= 1
        fill()
      }
      if (frame.type !== 'ack' || !frame.message) return
      waiting -= 1
      const { id } = frame.message
      if (frame.duplicate) figures.duplicates += 1
      else if (id <= newest) violations.push(`ids of ${name} fell from ${newest} to ${id}`)
      else newest = id
      acknowledged.set(key, id)
      unchecked.set(key, id)
      fill()
    })
    const terminate = () => socket.terminate()
    end.addEventListener('abort', terminate)
    socket.on('error', () => {})
    socket.on('close', () => {
      end.removeEventListener('abort', terminate)
      resolve()
    })
  })

const open = (folder: string) => new Sqlite(join(folder, 'messenger.db'), { readonly: true })

/** Checks that the file is intact and contains every acknowledged message under its id. */
const check = (folder: string, senders: readonly Sender[], violations: string[]) => {
  const db = open(folder)
  const damage = db.pragma('integrity_check', { simple: true })
  if (damage !== 'ok') violations.push(`integrity_check: ${String(damage)}`)
  const find = db.prepare('select client_id from messages where id = ?').pluck()
  for (const { name, unchecked } of senders) {
    for (const [key, id] of unchecked) {
      if (find.get(id) !== `${name}-${key}`)
        violations.push(`message ${id} was acknowledged and is not stored`)
    }
    unchecked.clear()
  }
  db.close()
}

/** Checks that each send is stored once, under its acknowledged id, in the order of its sender. */
const checkEnd = (folder: string, senders: readonly Sender[], perSender: number, violations: string[]) => {
  const db = open(folder)
  const rowsOf = db.prepare(
    'select m.id, client_id from messages m join users u on u.id = m.sender_id where u.username = ? order by m.id',
  )
  for (const { name, acknowledged, isRefused } of senders) {
    const rows = rowsOf.all(name) as { id: number; client_id: string }[]
    const keys = rows.map(({ client_id }) => Number(client_id.slice(name.length + 1)))
    if (rows.some(({ id }, index) => acknowledged.get(keys[index] as number) !== id)) {
      violations.push(`${name}: stored ids differ from the acknowledged ones`)
    }
    if (keys.length !== perSender || new Set(keys).size !== perSender || acknowledged.size !== perSender) {
      violations.push(`${name}: ${keys.length} of ${perSender} stored, ${acknowledged.size} acknowledged`)
    }
    if (!isRefused && keys.some((key, index) => key !== index)) violations.push(`${name}: not in order`)
  }
  db.close()
}
