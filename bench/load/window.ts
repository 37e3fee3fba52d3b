import { type Latency, latency } from '../statistics.ts'

/** Milliseconds of a trial that don't count, and that do. */
export type Span = { warmUp: number; measure: number }

export type Load = Latency & { rate: number }

/**
 * What a trial counts: what is done between the end of the warm-up and the end of the measuring. What is still in flight
 * then is waited for, and doesn't count.
 */
export const createWindow = ({ warmUp, measure }: Span) => {
  const from = performance.now() + warmUp
  const to = from + measure
  const samples: number[] = []
  let inFlight = 0
  let count = 0
  let drained = () => {}
  const over = new Promise<void>((resolve) => setTimeout(resolve, warmUp + measure))
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
      }
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
      if (samples.length === 0) throw new Error('nothing was done in the time that counts')
      return { rate: (count * 1000) / measure, ...latency(samples) }
    },
  }
}
export type Window = ReturnType<typeof createWindow>
