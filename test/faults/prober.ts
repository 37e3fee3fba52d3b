import { Agent, request } from 'node:http'
import { begin, job } from './fork.ts'
import type { Probed } from './live.ts'

const PAUSE_MS = 10

/** Asks each of `urls` again and again, over one connection that is kept and over fresh ones. */
const { urls } = job() as { urls: string[] }

const ask = (url: string, agent: Agent | false) =>
  new Promise<string>((resolve) => {
    const call = request(url, { agent }, (reply) => {
      reply.resume()
      reply.on('close', () => resolve(reply.complete ? String(reply.statusCode) : 'cut'))
    })
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    call.end()
  })

const watch = (url: string) => {
  const samples: number[] = []
  const answers: Record<string, number> = {}
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  /** When the questions that are not answered yet were asked. */
  const open = new Set<number>()
  const probe = async (agent: Agent | false) => {
    const asked = performance.now()
    open.add(asked)
    const answer = await ask(url, agent)
    open.delete(asked)
    samples.push(performance.now() - asked)
    answers[answer] = (answers[answer] ?? 0) + 1
  }
  const keepAsking = async (agent: Agent | false) => {
    for (;;) {
      await probe(agent)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  return {
    async begin() {
      // The first ones compile what they need; they are no measure.
      for (const agent of [kept, false] as const) await ask(url, agent)
      // It answered before anything befell it.
      await probe(kept)
      void keepAsking(kept)
      void keepAsking(false)
    },
    figures(): Probed {
      const now = performance.now()
      const sorted = [...samples, ...[...open].map((asked) => now - asked)].sort((a, b) => a - b)
      return {
        count: sorted.length,
        p99_ms: Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0),
        slowest_ms: Math.round(sorted.at(-1) ?? 0),
        answers,
      }
    },
  }
}

const watches = urls.map(watch)
await Promise.all(watches.map((each) => each.begin()))
const end = await begin('asking')
end(watches.map((each) => each.figures()))
