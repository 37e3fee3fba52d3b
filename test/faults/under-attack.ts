import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import type { Session } from '../../schemas/account.ts'
import { type Owner, startProcess } from '../support/process.ts'
import { call } from '../support/server.ts'
import { type Answers, type Attack, pause, type Target } from './attacks/attack.ts'
import { fillDatabase } from './attacks/fill.ts'
import type { Seen } from './bystander.ts'
import { startHelper } from './fork.ts'
import { type Liveness, watchLive, wrongWith } from './live.ts'
import { residentBytes } from './memory.ts'

/** What the process of the attack is told. */
export type Assault = Pick<Target, 'port' | 'pid' | 'tokens' | 'filled' | 'span'> & {
  name: string
  /** The part of each count, of 100. */
  percent: number
}

/** What it says when it is over. */
export type Attacked = { answers: Answers; notes: string[]; wrong: string[] }

export type AttackPlan = {
  folder: string
  attack: Attack
  percent: number
  /** Judges no time: for a machine that has other things to do. */
  isLenient: boolean
}

/** Milliseconds within which `/health/live` answers amid an attack. */
const LIVE_MS = 500
/** Milliseconds within which the process ends after a SIGTERM, and after which it is killed. */
const STOP_MS = 3500
const STOP_PATIENCE_MS = 30_000
/** Milliseconds of watching: without the attack, and after its end at least. */
const SPAN_MS = 5000
const AFTER_MS = 1000
/** Milliseconds between two messages of the bystander. */
const EACH_MS = 20

/**
 * Starts a server as it is shipped on a database of the attack's own. Watches `/health/live` and the messages of a
 * bystander, first without the attack and then with it. Each load runs in a process of its own.
 * @returns the figures with and without the attack, and each promise that was broken
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
  const login = async (username: string) =>
    (await call<Session>(url, 'POST', '/login', { body: { username } })).body.token
  const bystander = { url, name: 'bystander', token: await login('bystander'), each_ms: EACH_MS }
  const tokens: Target['tokens'] = {}
  for (const name of attack.people ?? []) tokens[name] = await login(name)
  const watch = async (key: string, body: () => Promise<unknown>): Promise<Watched> => {
    const live = await watchLive(owner, url)
    const seeing = await startHelper<string, Seen>(owner, 'bystander.ts', { ...bystander, key })
    await body()
    const seen = await seeing.stop()
    return { ...(await live.stop()), seen }
  }

  const quiet = await watch('before', () => pause(span))
  const assault: Assault = { name: attack.name, percent, span, port, pid, tokens, filled }
  const attacker = await startHelper<string, Attacked>(owner, 'attacker.ts', assault)
  const memory = sampleMemory(pid)
  const attacked = await watch('amid', async () => {
    await attacker.go()
    await pause(AFTER_MS)
  })
  const growth = memory.stop()
  const end = await stop(server)
  const { answers, notes, wrong } = await attacker.stop()

  const violations = [
    ...(end.crashed ? [`the server ended by itself: ${lastError(server.output())}`] : []),
    ...(end.crashed || end.code === 0 ? [] : [`the stop ended with ${end.code ?? end.signal}`]),
    ...(end.ms > STOP_MS && !isLenient ? [`the stop took ${end.ms} ms`] : []),
    ...(attacked.live.slowest_ms > LIVE_MS && !isLenient
      ? [`/health/live took ${attacked.live.slowest_ms} ms`]
      : []),
    ...(growth > attack.mebibytes ? [`the memory grew by ${growth} MiB`] : []),
    ...[quiet, attacked].flatMap((watched) => [...wrongWith(watched, true), ...wrongWithSeen(watched.seen)]),
    ...wrongWithFile(file, quiet.seen, attacked.seen),
    ...wrong,
  ].map((text) => `${attack.name}: ${text}`)
  return { name: attack.name, quiet, attacked, growth, end, answers, notes, violations }
}

type Watched = Liveness & { seen: Seen }
export type AttackFigures = Awaited<ReturnType<typeof underAttack>>

/** Looks how much memory a process has, until it is stopped. */
const sampleMemory = (pid: number) => {
  const before = residentBytes(pid)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(pid))
  }, 50)
  return {
    /** @returns MiB that it had more than at the beginning. */
    stop() {
      clearInterval(timer)
      return Math.round((most - before) / 1_048_576)
    },
  }
}

/** Stops a server, and kills it where it does not stop. `crashed`: it had ended before. */
const stop = async ({ child, exited }: Awaited<ReturnType<typeof startProcess>>) => {
  const crashed = child.exitCode !== null || child.signalCode !== null
  const started = performance.now()
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS)
  const { code, signal } = await exited
  clearTimeout(timer)
  return { crashed, code, signal, ms: crashed ? 0 : Math.round(performance.now() - started) }
}

/** @returns the line that names the error of a process that has ended. */
const lastError = (output: string) => {
  const errors = output.split('\n').filter((line) => /Error|FATAL|heap/.test(line))
  return (errors.at(-1) ?? output.slice(-200)).trim().slice(0, 200)
}

const wrongWithSeen = ({ sent, answered, received, wrong }: Seen): string[] => [
  ...(answered < sent || received < sent
    ? [`of ${sent} messages of a bystander ${answered} were answered, ${received} received`]
    : []),
  ...wrong,
]

/** Looks into the file: each message of the bystander is there once, and in order where none was refused. */
const wrongWithFile = (file: string, ...seen: Seen[]): string[] => {
  const sent = seen.reduce((sum, each) => sum + each.sent, 0)
  const isOrdered = seen.every(({ refused }) => refused === 0)
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
      : [`of ${sent} messages of a bystander ${count} are stored, in ${stored.length} rows`]),
    ...(isOrdered && falls > 0 ? [`${falls} messages of a bystander are stored out of order`] : []),
  ]
}

/** @returns the figures as a table in Markdown, in ms and MiB: without the attack, then with it. */
export const attackTable = (rows: readonly AttackFigures[]): string => {
  const head = [
    'attack',
    'slowest `/health/live`',
    'its p99',
    'slowest of a bare server',
    'p50 of sends',
    'p99 of sends',
    'slowest send',
    'memory',
    'stop',
    'answers',
  ]
  const lines = rows.map(({ name, quiet, attacked, growth, end, answers, notes }) => {
    const both = (figure: (watched: Watched) => number) => `${figure(quiet)} → ${figure(attacked)}`
    const counted = Object.entries(answers).map(([answer, count]) => `${count} × ${answer}`)
    return [
      `\`${name}\``,
      both(({ live }) => live.slowest_ms),
      both(({ live }) => live.p99_ms),
      both(({ bare }) => bare.slowest_ms),
      both(({ seen }) => seen.p50_ms),
      both(({ seen }) => seen.p99_ms),
      both(({ seen }) => seen.slowest_ms),
      `+${growth}`,
      end.crashed ? `**crashed**, ${end.code ?? end.signal}` : `${end.ms}, ${end.code ?? end.signal}`,
      [...counted, ...notes].join(', '),
    ]
  })
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
