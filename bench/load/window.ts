/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { readFileSync } from 'node:fs'
import { type Latency, latency } from '../statistics.ts'

/** Milliseconds of a trial that don't count, and that do. */
export type Span = { warmUp: number; measure: number }

/** `cpu`: microseconds of the server's processor time for each that counts; it says more than a rate on a busy machine.
 * `grown`: bytes of resident memory that the server took more. */
export type Load = Latency & { rate: number; cpu?: number; grown?: number }

/**
 * What a trial counts: what is done between the end of the warm-up and the end of the measuring. What is still in flight
 * then is waited for, and doesn't count.
 */
export const createWindow = ({ warmUp, measure, pid }: Span & { pid: number }) => {
  const from = performance.now() + warmUp
  const to = from + measure
  const samples: number[] = []
  /** What was done after the end: all that there is, where a smoke run is on a machine that has no time for it. */
  const late: number[] = []
  let inFlight = 0
  let count = 0
  let drained = () => {}
  let cpu = 0
  setTimeout(() => {
    cpu = processorTime(pid)
  }, warmUp)
  const over = new Promise<void>((resolve) =>
    setTimeout(() => {
      cpu = processorTime(pid) - cpu
      resolve()
    }, warmUp + measure),
  )
  return {
    /** Whether there is no more to be asked. */
    get isOver() {
      return performance.now() >= to
    },
    /** @returns the time, to be given to `done`. */
    begin(): number {
      inFlight += 1
      return performance.now()
    },
    /** @param weight what it counts for: one message that came to 200 devices is 200 */
    done(began: number, weight = 1) {
      inFlight -= 1
      const now = performance.now()
      if (now >= from && now < to) {
        count += weight
        samples.push(now - began)
      } else if (now >= to) late.push(now - began)
      if (inFlight === 0) drained()
    },
    /** Resolves when the time is over, and all that was begun is done. */
    async result(): Promise<Load> {
      await over
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          drained = resolve
        })
      }
      if (samples.length === 0) return { rate: (late.length * 1000) / measure, ...latency(late) }
      return { rate: (count * 1000) / measure, ...latency(samples), ...(cpu > 0 && { cpu: cpu / count }) }
    },
  }
}
/** @returns microseconds of processor time that a process has used, on Linux; elsewhere 0. */
const processorTime = (pid: number): number => {
  if (process.platform !== 'linux') return 0
  // Its hundredths of a second, in the process and in the system.
  const [user, system] =
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13) ?? []
  return (Number(user) + Number(system)) * 10_000
}

export type Window = ReturnType<typeof createWindow>
