import type { Owner } from '../support/process.ts'
import { startHelper } from './fork.ts'

export type Probed = {
  count: number
  p99_ms: number
  slowest_ms: number
  /** How often each status came; what is no answer stands there under its error. */
  answers: Record<string, number>
}

/** `bare`: what a server that does nothing gave the same prober at the same time. */
export type Liveness = { live: Probed; bare: Probed }

/** Milliseconds within which `/health/live` answers, whatever befalls the server. */
const LIVE_MS = 100

/** Watches `/health/live` from a process of its own, and a bare server in another one beside it. */
export const watchLive = async (owner: Owner, url: string) => {
  const bare = await startHelper<number, string>(owner, 'bare.ts')
  const urls = [`${url}/health/live`, `http://127.0.0.1:${bare.begun}/`]
  const prober = await startHelper<string, [Probed, Probed]>(owner, 'prober.ts', { urls })
  return {
    async stop(): Promise<Liveness> {
      const [live, beside] = await prober.stop()
      await bare.stop()
      return { live, bare: beside }
    },
  }
}

/**
 * @param isLenient whether to judge the time of the answers not at all
 * @returns what was wrong with the answers: one was late, or said anything but 200
 */
export const wrongWith = ({ live }: Liveness, isLenient = false): string[] => [
  ...(live.slowest_ms > LIVE_MS && !isLenient ? [`/health/live took ${live.slowest_ms} ms`] : []),
  ...Object.entries(live.answers).flatMap(([answer, count]) =>
    answer === '200' ? [] : [`/health/live answered ${answer}, ${count} times`],
  ),
]
