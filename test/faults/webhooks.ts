import { copyFile, mkdir, rm } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import type { FeedPage } from '../../schemas/feed.ts'
import type { PutWebhook } from '../../schemas/webhook.ts'
import { type Example, startExample } from '../support/example.ts'
import { freePort, type Owner, startProcess } from '../support/process.ts'
import { createApp } from '../support/server-key.ts'
import { startProxy } from '../support/unreliable-proxy.ts'
import { LOAD_ENVIRONMENT } from './kill.ts'

export type WebhookPlan = {
  folder: string
  /** Faults: each kills the server, kills the app, or breaks the network between them. */
  blows: number
  /** A generator of numbers in [0, 1), which chooses the faults and their moments. */
  random: () => number
  /** Seconds after which the run is abandoned with a violation. */
  deadline: number
}

export type WebhookFigures = {
  messages: number
  kills_of_server: number
  kills_of_app: number
  network_faults: number
  restores: number
  seconds: number
  violations: string[]
}

const SENDERS = ['ann', 'ben', 'cem']
const FILES = ['receiver.db', 'receiver.db-journal']

/**
 * Sends messages while the server, the app that receives its webhooks (examples/webhook-receiver.ts) and the network between
 * them fail at random, and restores the database of the app from an old backup once. At the end the table of the app must have
 * the messages of the server, each once.
 */
export const webhooksUnderFaults = async (owner: Owner, plan: WebhookPlan): Promise<WebhookFigures> => {
  const { folder, random } = plan
  const started = performance.now()
  const figures = { messages: 0, kills_of_server: 0, kills_of_app: 0, network_faults: 0, restores: 0 }
  const violations: string[] = []
  const end = AbortSignal.timeout(plan.deadline * 1000)
  const [PORT, appPort] = [String(await freePort()), await freePort()]
  const env = { ...LOAD_ENVIRONMENT, PORT, WEBHOOK_ALLOW_PRIVATE: '1' }
  let server = await startProcess(owner, folder, env)
  const { call } = await createApp({ folder, url: server.url })
  const proxy = await startProxy(owner, `http://127.0.0.1:${appPort}`, random, 1)
  proxy.calm()

  /** Calls until the server answers with 200. */
  const persist = async <T>(method: string, path: string, body?: object, user?: string): Promise<T> => {
    for (;;) {
      end.throwIfAborted()
      const reply = await call<T>(method, path, body, user ? { 'on-behalf-of': user } : {}).catch(() => {})
      if (reply?.status === 200) return reply.body
      await pause(20)
    }
  }
  /** The call makes the next attempt due at once, so that the run does not wait for it. */
  const connect = () =>
    persist<PutWebhook>('PUT', '/webhooks/app', { url: proxy.url, types: ['message.created'], cursor: '0' })

  for (const name of SENDERS) await persist('PUT', `/users/${name}`, {})
  const { secret = '' } = await connect()
  const home = join(folder, 'app')
  const backup = join(folder, 'backup')
  await mkdir(home)
  await mkdir(backup)
  const startApp = async (): Promise<Example> => {
    const app = startExample(owner, 'webhook-receiver.ts', home, {
      WEBHOOK_SECRET: secret,
      PORT: String(appPort),
    })
    await app.until('listening')
    return app
  }
  let app = await startApp()

  const over = new AbortController()
  const send = async (name: string) => {
    for (let number = 0; !over.signal.aborted; number += 1) {
      const message = { receiver_username: 'ann', content: `${number} of ${name}`, client_id: String(number) }
      await persist('POST', '/send', message, name)
      figures.messages += 1
    }
  }

  const killApp = async (during: () => Promise<void> = async () => {}) => {
    await app.kill()
    figures.kills_of_app += 1
    await during()
    app = await startApp()
  }
  const killServer = async () => {
    server.child.kill('SIGKILL')
    await server.exited
    figures.kills_of_server += 1
    server = await startProcess(owner, folder, env)
  }
  const breakNetwork = async () => {
    figures.network_faults += 1
    proxy.cut()
    if (random() < 0.5) return
    proxy.refuse()
    await persist('GET', '/webhooks/app')
    proxy.calm()
  }
  const faults = [killServer, killApp, breakNetwork]
  const strike = async () => {
    const backupAt = Math.floor(plan.blows / 3)
    const restoreAt = Math.floor((plan.blows * 2) / 3)
    for (let blow = 0; blow < plan.blows; blow += 1) {
      const goal = figures.messages + 1 + random() * 40
      while (figures.messages < goal) await pause(1, undefined, { signal: end })
      if (blow === backupAt) await killApp(() => copy(home, backup))
      else if (blow === restoreAt) {
        await killApp(() => copy(backup, home))
        figures.restores += 1
      } else await (faults[Math.floor(random() * faults.length)] as () => Promise<void>)()
      await connect()
    }
  }

  const work = [...SENDERS.map(send), strike().finally(() => over.abort())]
  try {
    await Promise.all(work)
    const expected = await allMessages(persist)
    const found = () => rowsOf(home)
    while (found().length < expected.length) await pause(20, undefined, { signal: end })
    if (expected.length !== figures.messages)
      violations.push(`the server has ${expected.length} of ${figures.messages} messages`)
    if (JSON.stringify(found()) !== JSON.stringify(expected))
      violations.push('the messages of the app are not those of the server')
  } catch (error) {
    over.abort()
    await Promise.allSettled(work)
    if (!end.aborted) throw error
    violations.push(
      `not done after ${plan.deadline} s: ${rowsOf(home).length} of ${figures.messages} messages`,
    )
  }
  await app.kill()
  server.child.kill('SIGTERM')
  await server.exited
  return { ...figures, seconds: Math.round((performance.now() - started) / 1000), violations }
}

const copy = async (from: string, to: string) => {
  for (const file of FILES) {
    await rm(join(to, file), { force: true })
    if (existsSync(join(from, file))) await copyFile(join(from, file), join(to, file))
  }
}

type Row = { id: number; sender: string; content: string }

const rowsOf = (home: string): Row[] => {
  const db = new Sqlite(join(home, 'receiver.db'))
  const rows = db.prepare<[], Row>('select id, sender, content from messages order by id').all()
  db.close()
  return rows
}

const allMessages = async (get: <T>(method: string, path: string) => Promise<T>): Promise<Row[]> => {
  const rows: Row[] = []
  let page: FeedPage = { events: [], cursor: '0', more: true }
  while (page.more) {
    page = await get<FeedPage>('GET', `/events?cursor=${page.cursor}&limit=1000`)
    for (const event of page.events) {
      if (event.type !== 'message.created') continue
      const { id, sender, content } = event.message
      rows.push({ id, sender, content })
    }
  }
  return rows
}
