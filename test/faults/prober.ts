import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { begin, job } from './fork.ts'
import type { Probed } from './live.ts'

const PAUSE_MS = 10

/** Probes each of `urls` continuously, over one keep-alive connection and over new connections. */
const { urls } = job() as { urls: string[] }

const probeOnce = (url: string, agent: Agent | false) =>
  new Promise<string>((resolve) => {
    const call = request(url, { agent }, (response) => {
      response.resume()
      response.on('close', () => resolve(response.complete ? String(response.statusCode) : 'cut'))
    })
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    call.end()
  })

const watch = (url: string) => {
  const samples: number[] = []
  const replies: Record<string, number> = {}
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  /** Start times of the requests in flight. */
  const open = new Set<number>()
  const probe = async (agent: Agent | false) => {
    const started = performance.now()
    open.add(started)
    const reply = await probeOnce(url, agent)
    open.delete(started)
    samples.push(performance.now() - started)
    replies[reply] = (replies[reply] ?? 0) + 1
  }
  const keepProbing = async (agent: Agent | false) => {
    for (;;) {
      await probe(agent)
      await pause(PAUSE_MS)
    }
  }
  return {
    async begin() {
      // The first requests are slower, because they compile code. They are not measured.
      for (const agent of [kept, false] as const) await probeOnce(url, agent)
      // One measured reply before the fault starts.
      await probe(kept)
      void keepProbing(kept)
      void keepProbing(false)
    },
    figures(): Probed {
      const now = performance.now()
      const sorted = [...samples, ...[...open].map((started) => now - started)].sort((a, b) => a - b)
      return {
        count: sorted.length,
        p99_ms: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
        slowest_ms: Math.round(sorted.at(-1) ?? 0),
        replies,
      }
    },
  }
}

const watches = urls.map(watch)
await Promise.all(watches.map((each) => each.begin()))
const end = await begin('probing')
end(watches.map((each) => each.figures()))
