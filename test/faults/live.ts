import type { Owner } from '../support/process.ts'
import { startHelper } from './fork.ts'

export type Probed = {
  count: number
  p99_ms: number
  slowest_ms: number
  /** Count of each status, or of each error code of a failed request. */
  replies: Record<string, number>
}

/** `bare`: the figures of a server without work, from the same prober at the same time. */
export type Liveness = { live: Probed; bare: Probed }

/** Milliseconds within which `/health/live` answers during every fault. */
const LIVE_MS = 100

/** Probes `/health/live` from a separate process, together with a bare server in another process. */
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
 * @param isLenient ignores the time of the replies
 * @returns a violation for a late reply, and one for each kind of reply other than 200
 */
export const liveViolations = ({ live }: Liveness, isLenient = false): string[] => [
  ...(live.slowest_ms > LIVE_MS && !isLenient ? [`/health/live took ${live.slowest_ms} ms`] : []),
  ...Object.entries(live.replies).flatMap(([reply, count]) =>
    reply === '200' ? [] : [`/health/live answered ${reply} ${count} times`],
  ),
]
