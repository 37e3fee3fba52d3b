/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { readFileSync } from 'node:fs'
import { type Latency, latency } from '../statistics.ts'

/** Milliseconds of a trial: `warmUp` is not counted, `measure` is. */
export type Span = { warmUp: number; measure: number }

/**
 * Result of a load. `cpu` is microseconds of the server's processor time per counted call; it depends less on other work of the
 * machine than a rate. `grown` is the growth of the server's resident memory in bytes.
 */
export type Load = Latency & { rate: number; cpu?: number; grown?: number }

/**
 * Counts what completes between the end of the warm-up and the end of the measurement. Calls still in flight at the end are
 * awaited but not counted.
 */
export const createWindow = ({ warmUp, measure, pid }: Span & { pid: number }) => {
  const from = performance.now() + warmUp
  const to = from + measure
  const samples: number[] = []
  /** Samples from after the end. A smoke run on a busy machine may have no others. */
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
    /** Whether new calls must no longer begin. */
    get isOver() {
      return performance.now() >= to
    },
    /** @returns the start time to pass to `done`. */
    begin(): number {
      inFlight += 1
      return performance.now()
    },
    /** @param weight how often the call counts: 200 for a message delivered to 200 devices */
    done(began: number, weight = 1) {
      inFlight -= 1
      const now = performance.now()
      if (now >= from && now < to) {
        count += weight
        samples.push(now - began)
      } else if (now >= to) late.push(now - began)
      if (inFlight === 0) drained()
    },
    /** Resolves once the window is over and all begun calls are done. */
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
/** @returns microseconds of processor time used by a process; 0 on systems other than Linux. */
const processorTime = (pid: number): number => {
  if (process.platform !== 'linux') return 0
  // utime and stime, in ticks of 10 ms (proc_pid_stat(5)).
  const [user, system] =
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13) ?? []
  return (Number(user) + Number(system)) * 10_000
}

export type Window = ReturnType<typeof createWindow>
