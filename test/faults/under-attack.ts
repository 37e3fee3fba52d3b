import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import { type Owner, startProcess } from '../support/process.ts'
import { logIn } from '../support/server.ts'
import type { Attack, Replies, Target } from './attacks/attack.ts'
import { fillDatabase } from './attacks/fill.ts'
import { type BystanderFigures, bystanderViolations } from './bystander-figures.ts'
import { startHelper } from './fork.ts'
import { type Liveness, watchLive, liveViolations } from './live.ts'
import { residentBytes } from './memory.ts'

/** The job of the attacking process. */
export type AttackJob = Pick<Target, 'port' | 'pid' | 'tokens' | 'filled' | 'span'> & {
  name: string
  /** Scale of the counts in percent. */
  percent: number
}

/** The result of the attacking process. */
export type AttackResult = { replies: Replies; notes: string[]; violations: string[] }

export type AttackPlan = {
  folder: string
  attack: Attack
  percent: number
  /** Ignores all times, for a machine that runs other work. */
  isLenient: boolean
}

/** Milliseconds within which `/health/live` answers during an attack. */
const LIVE_MS = 500
/** Milliseconds within which the process must end after a SIGTERM, and after which it is killed. */
const STOP_MS = 3500
const STOP_PATIENCE_MS = 30_000
/** Milliseconds of measurement before the attack, and after its end. */
const SPAN_MS = 5000
const AFTER_MS = 1000
/** Milliseconds between two messages of the bystander. */
const INTERVAL_MS = 20

/**
 * Starts a server with the default configuration on a new database. Measures `/health/live` and the messages of a bystander
 * before the attack and during it. Each load runs in a separate process.
 * @returns the figures before and during the attack, and each violation
 */
export const underAttack = async (owner: Owner, { folder, attack, percent, isLenient }: AttackPlan) => {
  const scaled: Target['scaled'] = (count) => Math.max(1, Math.round((count * percent) / 100))
  const span = Math.max(500, (SPAN_MS * percent) / 100)
  const file = join(folder, 'messenger.db')
  const { fill } = attack
  const filled = fill && (await fillDatabase(file, (rows) => fill(rows, scaled)))
  const server = await startProcess(owner, folder)
  const { url, port, child } = server
  const pid = child.pid as number
  const login = async (username: string) => (await logIn(url, username)).token
  const bystander = { url, name: 'bystander', token: await login('bystander'), interval_ms: INTERVAL_MS }
  const tokens: Target['tokens'] = {}
  for (const name of attack.users ?? []) tokens[name] = await login(name)
  const watch = async (key: string, body: () => Promise<unknown>): Promise<Watched> => {
    const live = await watchLive(owner, url)
    const bystanding = await startHelper<string, BystanderFigures>(owner, 'bystander.ts', {
      ...bystander,
      key,
    })
    await body()
    const figures = await bystanding.stop()
    return { ...(await live.stop()), bystander: figures }
  }

  const before = await watch('before', () => pause(span))
  const job: AttackJob = { name: attack.name, percent, span, port, pid, tokens, filled }
  const attacker = await startHelper<string, AttackResult>(owner, 'attacker.ts', job)
  const memory = sampleMemory(pid)
  const during = await watch('during', async () => {
    await attacker.go()
    await pause(AFTER_MS)
  })
  const growth = memory.stop()
  const end = await stop(server)
  const { replies, notes, violations: own } = await attacker.stop()

  const violations = [
    ...(end.crashed ? [`the server ended by itself: ${lastError(server.output())}`] : []),
    ...(end.crashed || end.code === 0 ? [] : [`the stopped server ended with ${end.code ?? end.signal}`]),
    ...(end.ms > STOP_MS && !isLenient ? [`the stop took ${end.ms} ms`] : []),
    ...(during.live.slowest_ms > LIVE_MS && !isLenient
      ? [`/health/live took ${during.live.slowest_ms} ms`]
      : []),
    ...(growth > attack.mebibytes ? [`the memory grew by ${growth} MiB`] : []),
    ...[before, during].flatMap((watched) => [
      ...liveViolations(watched, true),
      ...bystanderViolations(watched.bystander),
    ]),
    ...fileViolations(file, before.bystander, during.bystander),
    ...own,
  ].map((text) => `${attack.name}: ${text}`)
  return { name: attack.name, before, during, growth, end, replies, notes, violations }
}

type Watched = Liveness & { bystander: BystanderFigures }
export type AttackFigures = Awaited<ReturnType<typeof underAttack>>

/** Samples the memory of a process. */
const sampleMemory = (pid: number) => {
  const before = residentBytes(pid)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(pid))
  }, 50)
  return {
    /** Ends the sampling. @returns the maximum growth in MiB */
    stop() {
      clearInterval(timer)
      return Math.round((most - before) / 1_048_576)
    },
  }
}

/** Stops a server, and kills it after a timeout. `crashed` says that it had ended before. */
const stop = async ({ child, exited }: Awaited<ReturnType<typeof startProcess>>) => {
  const crashed = child.exitCode !== null || child.signalCode !== null
  const started = performance.now()
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS)
  const { code, signal } = await exited
  clearTimeout(timer)
  return { crashed, code, signal, ms: crashed ? 0 : Math.round(performance.now() - started) }
}

/** @returns the last line of the output that names an error. */
const lastError = (output: string) => {
  const errors = output.split('\n').filter((line) => /Error|FATAL|heap/.test(line))
  return (errors.at(-1) ?? output.slice(-200)).trim().slice(0, 200)
}

/** Checks the file: each message of the bystander is stored once, and in order unless one was refused. */
const fileViolations = (file: string, ...figures: BystanderFigures[]): string[] => {
  const sent = figures.reduce((sum, each) => sum + each.sent, 0)
  const isOrdered = figures.every(({ refused }) => refused === 0)
  const db = new Sqlite(file, { readonly: true })
  const damage = db.pragma('quick_check', { simple: true })
  const stored = db
    .prepare(
      "select content from messages m join users u on u.id = m.sender_id where u.username = 'bystander' order by m.id",
    )
    .pluck()
    .all() as string[]
  db.close()
  const count = new Set(stored).size
  const indexes = stored.map((content) => Number(content.split(' ')[1]))
  const falls = indexes.filter((index, at) => index > 0 && index <= (indexes[at - 1] as number)).length
  return [
    ...(damage === 'ok' ? [] : [`quick_check: ${String(damage)}`]),
    ...(stored.length === sent && count === sent
      ? []
      : [`${count} of ${sent} messages of a bystander are stored, in ${stored.length} rows`]),
    ...(isOrdered && falls > 0 ? [`${falls} messages of a bystander are stored out of order`] : []),
  ]
}

/** @returns the figures as a Markdown table in ms and MiB, before and during the attack. */
export const attackTable = (rows: readonly AttackFigures[]): string => {
  const head = [
    'attack',
    'slowest `/health/live`',
    'p99 of `/health/live`',
    'slowest of a bare server',
    'p50 of sends',
    'p99 of sends',
    'slowest send',
    'memory',
    'stop',
    'replies',
  ]
  const lines = rows.map(({ name, before, during, growth, end, replies, notes }) => {
    const both = (figure: (watched: Watched) => number) => `${figure(before)} → ${figure(during)}`
    const counted = Object.entries(replies).map(([reply, count]) => `${count} × ${reply}`)
    return [
      `\`${name}\``,
      both(({ live }) => live.slowest_ms),
      both(({ live }) => live.p99_ms),
      both(({ bare }) => bare.slowest_ms),
      both(({ bystander }) => bystander.p50_ms),
      both(({ bystander }) => bystander.p99_ms),
      both(({ bystander }) => bystander.slowest_ms),
      `+${growth}`,
      end.crashed ? `**crashed**, ${end.code ?? end.signal}` : `${end.ms}, ${end.code ?? end.signal}`,
      [...counted, ...notes].join(', '),
    ]
  })
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
