import { setTimeout as pause } from 'node:timers/promises'
import { startFaulty } from '../support/fault.ts'
import { readMetrics } from '../support/metrics.ts'
import type { Owner } from '../support/process.ts'
import { logIn } from '../support/server.ts'
import { startHelper } from './fork.ts'
import { type Liveness, watchLive, liveViolations } from './live.ts'

/** The job of one generator. Either `window` or `rate` is 0. */
export type Job = {
  port: number
  transport: Transport
  users: { name: string; token: string }[]
  window: number
  rate: number
}

export type Transport = 'http' | 'socket'

export type Generated = {
  offered: number
  accepted: number
  refused: number
  /** Messages that were held back, because the server had not read the earlier ones. */
  held: number
  /** Refusals without a retry hint. */
  violations: string[]
}

const GENERATORS = 2
const USERS = 400
/** Users of a lenient run. */
const FEW_USERS = 80
/** Sends in flight of one user while the peak is measured. */
const WINDOW = 4
/** The offered multiple of the peak, and the share of the peak that must be accepted then. */
const TIMES = 5
const SHARE = 0.8

/**
 * Measures the peak rate that the server accepts, then offers five times the peak at a fixed rate, then measures with a disk that
 * takes 300 ms for each commit. The server has its default configuration except for the rate limits of one user.
 * @param isLenient ignores figures that depend on the load of the machine, and uses fewer users
 */
export const underPressure = async (owner: Owner, folder: string, seconds: number, isLenient: boolean) => {
  const server = await startFaulty(owner, folder, {
    RATE_LIMIT_LOGIN: '0',
    SOCKET_FRAMES_PER_SECOND: '1000000',
  })
  const users: Job['users'] = []
  for (let index = 0; index < (isLenient ? FEW_USERS : USERS); index += 1) {
    const name = `user-${index}`
    users.push({ name, token: (await logIn(server.url, name)).token })
  }
  const violations: string[] = []
  let isSlow = false
  let replies = 0
  const run = async (transport: Transport, load: { window: number } | { rate: number }) => {
    const live = await watchLive(owner, server.url)
    const jobs = Array.from({ length: GENERATORS }, (_, index): Job => {
      return {
        port: server.port,
        transport,
        users: users.filter((_, user) => user % GENERATORS === index),
        window: 'window' in load ? load.window : 0,
        rate: 'rate' in load ? load.rate / GENERATORS : 0,
      }
    })
    const generators = await Promise.all(
      jobs.map((job) => startHelper<string, Generated>(owner, 'generator.ts', job)),
    )
    await Promise.all(generators.map((generator) => generator.go()))
    const [started, cpu] = [performance.now(), await processorTime(server.url)]
    await pause(seconds * 1000)
    const generated = await Promise.all(generators.map((generator) => generator.stop()))
    const elapsed = (performance.now() - started) / 1000
    const used = (await processorTime(server.url)) - cpu
    const accepted = generated.reduce((sum, counts) => sum + counts.accepted, 0)
    const perSecond = (key: 'offered' | 'accepted' | 'refused' | 'held') =>
      Math.round(generated.reduce((sum, counts) => sum + counts[key], 0) / elapsed)
    const probed = await live.stop()
    // The limit of 100 ms holds for a slow disk. Under overload the time is only printed.
    const isTimed = !isLenient && isSlow
    violations.push(...liveViolations(probed, !isTimed), ...generated.flatMap((counts) => counts.violations))
    for (const { accepted, refused } of generated) replies += accepted + refused
    return {
      offered_per_second: perSecond('offered'),
      accepted_per_second: perSecond('accepted'),
      refused_per_second: perSecond('refused'),
      held_per_second: perSecond('held'),
      // On a busy machine this is more stable than a rate.
      cpu_us_per_accepted: Math.round((used * 1e6) / accepted),
      ...inBrief(probed),
    }
  }
  /** @returns the figures at the peak and at five times the peak. */
  const overload = async (transport: Transport) => {
    // A first run compiles the code. It is not measured.
    if (!isLenient) await run(transport, { window: WINDOW })
    const peak = await run(transport, { window: WINDOW })
    const fivefold = await run(transport, { rate: TIMES * peak.accepted_per_second })
    const [most, accepted] = [peak.accepted_per_second, fivefold.accepted_per_second]
    if (!isLenient && accepted < SHARE * most) {
      violations.push(
        `${transport}: ${accepted} messages a second accepted at ${TIMES} times the peak of ${most}`,
      )
    }
    if (!isLenient && fivefold.refused_per_second + fivefold.held_per_second === 0) {
      violations.push(`${transport}: no message was refused or held back at ${TIMES} times the peak`)
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
  return { replies, socket, http, slow_disk, violations }
}

/** @returns the processor time of the server in seconds. */
const processorTime = async (url: string) => (await readMetrics(url))('process_cpu_seconds_total')

const inBrief = ({ live, bare }: Liveness) => ({
  slowest_live_ms: live.slowest_ms,
  p99_live_ms: live.p99_ms,
  slowest_bare_ms: bare.slowest_ms,
})
