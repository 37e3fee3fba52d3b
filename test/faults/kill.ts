import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { WebSocket } from 'ws'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { freePort, type Owner, startProcess } from '../support/process.ts'
import { call } from '../support/server.ts'

export type KillPlan = {
  folder: string
  /** Messages to send in all. */
  sends: number
  kills: number
  senders: number
  /** Sends of one sender that may wait for their answer. */
  window: number
  /** Seconds after which what is not done is given up, and said so. */
  deadline: number
}

export type KillFigures = {
  sends: number
  kills: number
  /** Answers that a repeat after a kill got: the message had been stored, and its answer lost. */
  duplicates: number
  /** Sends that were refused for a while, and repeated after the hint. */
  refused: number
  seconds: number
  /** From the start of a process on an empty folder until it is ready, before the first kill. */
  fresh_start_ms: number
  /** From the start of a process that was killed until it is ready, after each kill. */
  starts_ms: number[]
  violations: string[]
}

type Sender = {
  token: string
  name: string
  /** Answered ids by the number of the send, which is its key too. */
  answered: Map<number, number>
  /** Those of them that were not looked for yet. */
  unchecked: Map<number, number>
  /** Those up to `next` without an answer are sent again, in their order, when the server is back. */
  next: number
  /** What was refused comes behind what was sent after it: there is no order any more. */
  isRefused: boolean
}

type Shared = {
  figures: { duplicates: number; refused: number }
  violations: string[]
  /** Ends what was begun. */
  end: AbortSignal
}

/**
 * Sends over sockets while the process is killed at random moments, and looks each time into the file: every answered
 * message is there, once; ids rise in the order of each sender; SQLite finds nothing wrong. What was not answered is sent
 * again under its key, and what was refused for a while after the hint.
 */
export const killUnderLoad = async (owner: Owner, plan: KillPlan): Promise<KillFigures> => {
  const violations: string[] = []
  const port = await freePort()
  const env = {
    PORT: String(port),
    RATE_LIMIT_SEND: '0',
    RATE_LIMIT_LOGIN: '0',
    SOCKET_FRAMES_PER_SECOND: '1000000',
    // A busy machine is no overload of the server, and what is refused has no order.
    MAX_LOOP_DELAY_MS: '0',
    LOG_LEVEL: 'info',
  }
  const start = async () => {
    const before = performance.now()
    const server = await startProcess(owner, plan.folder, env)
    const { status } = await call(server.url, 'GET', '/health/ready')
    if (status !== 200) violations.push(`not ready after the start: ${status}`)
    return { server, ms: Math.round(performance.now() - before) }
  }
  let { server, ms: fresh_start_ms } = await start()
  const perSender = Math.ceil(plan.sends / plan.senders)
  const senders: Sender[] = []
  for (let index = 0; index < plan.senders; index += 1) {
    const name = `sender-${index}`
    const { body } = await call<Session>(server.url, 'POST', '/login', { body: { username: name } })
    const maps = { answered: new Map(), unchecked: new Map() }
    senders.push({ token: body.token, name, ...maps, next: 0, isRefused: false })
  }
  const all = perSender * plan.senders
  const total = () => senders.reduce((sum, { answered }) => sum + answered.size, 0)
  const figures = { duplicates: 0, refused: 0 }
  const end = AbortSignal.timeout(plan.deadline * 1000)
  const shared: Shared = { figures, violations, end }
  const starts_ms: number[] = []
  const started = performance.now()
  while (total() < all || starts_ms.length < plan.kills) {
    if (end.aborted) {
      violations.push(`not done after ${plan.deadline} s: ${total()} answered, ${starts_ms.length} kills`)
      break
    }
    if (server.child.exitCode !== null) {
      violations.push(`the server ended by itself, with ${server.child.exitCode}: ${server.output()}`)
      break
    }
    const over = new AbortController()
    const { url } = server
    const work = Promise.all(senders.map((sender) => send(url, sender, plan, perSender, shared))).finally(
      () => over.abort(),
    )
    if (starts_ms.length < plan.kills) {
      // A random moment of the part that is left for each kill.
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

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends until all is answered, or the server is gone, or it is ended. */
const send = (
  url: string,
  sender: Sender,
  { window }: KillPlan,
  goal: number,
  { figures, violations, end }: Shared,
) =>
  new Promise<void>((resolve) => {
    const { name, answered, unchecked } = sender
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['messenger.v1'], {
      headers: { authorization: `Bearer ${sender.token}` },
    })
    const again: number[] = []
    for (let key = 0; key < sender.next; key += 1) if (!answered.has(key)) again.push(key)
    let waiting = 0
    let newest = 0
    const tell = (key: number) => {
      const [content, client_id] = [`message ${key}`, `${name}-${key}`]
      socket.send(JSON.stringify({ id: String(key), receiver_username: name, client_id, content }))
    }
    const fill = () => {
      while (waiting < window) {
        const key = again.shift() ?? (sender.next < goal ? sender.next++ : undefined)
        if (key === undefined) break
        waiting += 1
        tell(key)
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
          if (socket.readyState === socket.OPEN) tell(key)
        }, frame.retry_after * 1000)
      } else if (frame.type === 'error') {
        violations.push(`an error: ${data.toString()}`)
        waiting -= 1
        fill()
      }
      if (frame.type !== 'ack' || !frame.message) return
      waiting -= 1
      const { id } = frame.message
      if (frame.duplicate) figures.duplicates += 1
      else if (id <= newest) violations.push(`ids of ${name} fell from ${newest} to ${id}`)
      else newest = id
      answered.set(key, id)
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

/** Every answered message is in the file under its id, and the file is whole. */
const check = (folder: string, senders: readonly Sender[], violations: string[]) => {
  const db = open(folder)
  const damage = db.pragma('integrity_check', { simple: true })
  if (damage !== 'ok') violations.push(`integrity: ${String(damage)}`)
  const find = db.prepare('select client_id from messages where id = ?').pluck()
  for (const { name, unchecked } of senders) {
    for (const [key, id] of unchecked) {
      if (find.get(id) !== `${name}-${key}`) violations.push(`message ${id} was answered and is not there`)
    }
    unchecked.clear()
  }
  db.close()
}

/** Each send is there once, under the id that was answered, in the order of its sender. */
const checkEnd = (folder: string, senders: readonly Sender[], perSender: number, violations: string[]) => {
  const db = open(folder)
  const rowsOf = db.prepare(
    'select m.id, client_id from messages m join users u on u.id = m.sender_id where u.username = ? order by m.id',
  )
  for (const { name, answered, isRefused } of senders) {
    const rows = rowsOf.all(name) as { id: number; client_id: string }[]
    const keys = rows.map(({ client_id }) => Number(client_id.slice(name.length + 1)))
    if (rows.some(({ id }, index) => answered.get(keys[index] as number) !== id)) {
      violations.push(`${name}: other ids than answered`)
    }
    if (keys.length !== perSender || new Set(keys).size !== perSender || answered.size !== perSender) {
      violations.push(`${name}: ${keys.length} stored, ${answered.size} answered, of ${perSender}`)
    }
    if (!isRefused && keys.some((key, index) => key !== index)) violations.push(`${name}: not in order`)
  }
  db.close()
}
