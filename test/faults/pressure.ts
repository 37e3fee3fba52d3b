import type { Session } from '../../schemas/account.ts'
import { startFaulty } from '../support/fault.ts'
import type { Owner } from '../support/process.ts'
import { call } from '../support/server.ts'
import { startHelper } from './fork.ts'
import { type Liveness, watchLive, wrongWith } from './live.ts'

/** What a generator is told: one of `window` and `rate` is 0. */
export type Job = {
  port: number
  door: Door
  people: { name: string; token: string }[]
  window: number
  rate: number
}

export type Door = 'http' | 'socket'

/** `held`: what was not sent, because the server did not read what was sent before. `wrong`: refusals without a hint. */
export type Generated = { offered: number; accepted: number; refused: number; held: number; wrong: string[] }

const GENERATORS = 2
const PEOPLE = 400
/** Where no figure is judged. */
const FEW = 80
/** Sends in flight of one person while the peak is looked for. */
const WINDOW = 4
/** How many times the peak is offered, and what share of it must be accepted then. */
const TIMES = 5
const SHARE = 0.8

/**
 * Looks for the most that the server accepts, then offers five times as much at a fixed rate, then has a disk that takes
 * 300 ms a commit. The server is as it is shipped, but for the rates at which one person may send.
 * @param isLenient judges no figure that a busy machine changes, and does with fewer people
 */
export const underPressure = async (owner: Owner, folder: string, seconds: number, isLenient: boolean) => {
  const server = await startFaulty(owner, folder, {
    RATE_LIMIT_LOGIN: '0',
    SOCKET_FRAMES_PER_SECOND: '1000000',
  })
  const people: Job['people'] = []
  for (let index = 0; index < (isLenient ? FEW : PEOPLE); index += 1) {
    const name = `person-${index}`
    const { body } = await call<Session>(server.url, 'POST', '/login', { body: { username: name } })
    people.push({ name, token: body.token })
  }
  const violations: string[] = []
  let isSlow = false
  let answered = 0
  const run = async (door: Door, load: { window: number } | { rate: number }) => {
    const live = await watchLive(owner, server.url)
    const jobs = Array.from({ length: GENERATORS }, (_, index): Job => {
      return {
        port: server.port,
        door,
        people: people.filter((_, person) => person % GENERATORS === index),
        window: 'window' in load ? load.window : 0,
        rate: 'rate' in load ? load.rate / GENERATORS : 0,
      }
    })
    const generators = await Promise.all(
      jobs.map((job) => startHelper<string, Generated>(owner, 'generator.ts', job)),
    )
    await Promise.all(generators.map((generator) => generator.go()))
    const [started, cpu] = [performance.now(), await processorTime(server.url)]
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
    const generated = await Promise.all(generators.map((generator) => generator.stop()))
    const elapsed = (performance.now() - started) / 1000
    const used = (await processorTime(server.url)) - cpu
    const accepted = generated.reduce((sum, counts) => sum + counts.accepted, 0)
    const perSecond = (key: 'offered' | 'accepted' | 'refused' | 'held') =>
      Math.round(generated.reduce((sum, counts) => sum + counts[key], 0) / elapsed)
    const probed = await live.stop()
    // Within 100 ms is promised for a disk that is slow; under overload the time is printed.
    const isTimed = !isLenient && isSlow
    violations.push(...wrongWith(probed, !isTimed), ...generated.flatMap(({ wrong }) => wrong))
    for (const { accepted, refused } of generated) answered += accepted + refused
    return {
      offered_per_second: perSecond('offered'),
      accepted_per_second: perSecond('accepted'),
      refused_per_second: perSecond('refused'),
      held_per_second: perSecond('held'),
      // On a busy machine it says more than a rate.
      cpu_us_per_accepted: Math.round((used * 1e6) / accepted),
      ...inBrief(probed),
    }
  }
  /** @returns the peak, and what is accepted of five times as much. */
  const overload = async (door: Door) => {
    // What is compiled in it is no measure.
    if (!isLenient) await run(door, { window: WINDOW })
    const peak = await run(door, { window: WINDOW })
    const fivefold = await run(door, { rate: TIMES * peak.accepted_per_second })
    const [most, accepted] = [peak.accepted_per_second, fivefold.accepted_per_second]
    if (!isLenient && accepted < SHARE * most) {
      violations.push(`${door}: at ${TIMES} times the peak ${accepted} a second, of ${most}`)
    }
    if (!isLenient && fivefold.refused_per_second + fivefold.held_per_second === 0) {
      violations.push(`${door}: ${TIMES} times the peak, and nothing was refused or held back`)
    }
    return { peak, fivefold }
  }
  const socket = await overload('socket')
  const http = await overload('http')
  server.begin('slow')
  isSlow = true
  const slow_disk = await run('socket', { window: WINDOW })
  server.end()
  server.child.kill('SIGTERM')
  await server.exited
  return { answered, socket, http, slow_disk, violations }
}

/** @returns seconds of processor time that the server has used. */
const processorTime = async (url: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^process_cpu_seconds_total (.+)/m.exec(text)?.[1])
}

const inBrief = ({ live, bare }: Liveness) => ({
  slowest_live_ms: live.slowest_ms,
  p99_live_ms: live.p99_ms,
  slowest_bare_ms: bare.slowest_ms,
})
