import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { WebSocket } from 'ws'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/frames.ts'
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
}

export type KillFigures = {
  sends: number
  kills: number
  /** Answers that a repeat after a kill got: the message had been stored, and its answer lost. */
  duplicates: number
  seconds: number
  /** From the start of a process that was killed until it is ready, at worst. */
  slowest_start_ms: number
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
}

/**
 * Sends over sockets while the process is killed at random moments, and looks each time into the file: every answered
 * message is there, once; ids rise in the order of each sender; SQLite finds nothing wrong. What was not answered is sent
 * again under its key.
 */
export const killUnderLoad = async (owner: Owner, plan: KillPlan): Promise<KillFigures> => {
  const violations: string[] = []
  const port = await freePort()
  const env = {
    PORT: String(port),
    RATE_LIMIT_SEND: '0',
    RATE_LIMIT_LOGIN: '0',
    SOCKET_FRAMES_PER_SECOND: '1000000',
    LOG_LEVEL: 'info',
  }
  let server = await startProcess(owner, plan.folder, env)
  const perSender = Math.ceil(plan.sends / plan.senders)
  const senders: Sender[] = []
  for (let index = 0; index < plan.senders; index += 1) {
    const name = `sender-${index}`
    const { body } = await call<Session>(server.url, 'POST', '/login', { body: { username: name } })
    senders.push({ token: body.token, name, answered: new Map(), unchecked: new Map(), next: 0 })
  }
  const total = () => senders.reduce((sum, { answered }) => sum + answered.size, 0)
  const figures = { duplicates: 0, slowest_start_ms: 0 }
  const started = performance.now()
  let kills = 0
  for (;;) {
    const work = Promise.all(
      senders.map((sender) => send(server.url, sender, plan, perSender, figures, violations)),
    )
    const before = total()
    if (kills >= plan.kills) {
      await work
      break
    }
    // A random moment of the part that is left for each kill.
    const goal = before + Math.random() * 2 * ((plan.sends - before) / (plan.kills - kills + 1))
    while (total() < Math.min(goal, plan.sends - 1)) await pause(2)
    server.child.kill('SIGKILL')
    await server.exited
    await work
    kills += 1
    check(plan.folder, senders, violations)
    const start = performance.now()
    server = await startProcess(owner, plan.folder, env)
    const { status } = await call(server.url, 'GET', '/health/ready')
    if (status !== 200) violations.push(`not ready after a kill: ${status}`)
    figures.slowest_start_ms = Math.max(figures.slowest_start_ms, Math.round(performance.now() - start))
  }
  const seconds = Math.round((performance.now() - started) / 1000)
  server.child.kill('SIGTERM')
  await server.exited
  check(plan.folder, senders, violations)
  checkEnd(plan.folder, senders, perSender, violations)
  return { sends: total(), kills, seconds, ...figures, violations }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Sends until all is answered or the server is gone. */
const send = (
  url: string,
  sender: Sender,
  { window }: KillPlan,
  goal: number,
  figures: { duplicates: number },
  violations: string[],
) =>
  new Promise<void>((resolve) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['messenger.v1'], {
      headers: { authorization: `Bearer ${sender.token}` },
    })
    const again: number[] = []
    for (let key = 0; key < sender.next; key += 1) if (!sender.answered.has(key)) again.push(key)
    let waiting = 0
    let newest = 0
    const fill = () => {
      while (waiting < window) {
        const key = again.shift() ?? (sender.next < goal ? sender.next++ : undefined)
        if (key === undefined) break
        waiting += 1
        const { name } = sender
        socket.send(
          JSON.stringify({
            id: String(key),
            receiver_username: name,
            client_id: `${name}-${key}`,
            content: `message ${key}`,
          }),
        )
      }
      if (waiting === 0) socket.close()
    }
    socket.on('open', fill)
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as ServerFrame
      if (frame.type === 'error') violations.push(`an error: ${data.toString()}`)
      if (frame.type !== 'ack' || !frame.message) return
      waiting -= 1
      const { id } = frame.message
      if (frame.duplicate) figures.duplicates += 1
      else if (id <= newest) violations.push(`ids of ${sender.name} fell from ${newest} to ${id}`)
      else newest = id
      sender.answered.set(Number(frame.id), id)
      sender.unchecked.set(Number(frame.id), id)
      fill()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
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
  for (const { name, answered } of senders) {
    const rows = rowsOf.all(name) as { id: number; client_id: string }[]
    const keys = rows.map(({ client_id }) => client_id)
    if (rows.some(({ id }, key) => answered.get(key) !== id))
      violations.push(`${name}: other ids than answered`)
    if (keys.length !== perSender || answered.size !== perSender) {
      violations.push(`${name}: ${keys.length} stored, ${answered.size} answered, of ${perSender}`)
    }
    if (keys.some((key, index) => key !== `${name}-${index}`)) violations.push(`${name}: not in order`)
  }
  db.close()
}
