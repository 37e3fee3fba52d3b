/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { madeDatabase } from './database.ts'
import type { Scale } from './scale.ts'
import { packaged } from './package.ts'
import type { Latency } from './statistics.ts'
import { bareSocket, product, runTrial, type Server, withServer } from './trial.ts'

/** Result of one trial: the measured value and, for calls, their latency in milliseconds. */
export type Trial = { value: number; cpu?: number | undefined } & Partial<Latency>

export type Context = { root: string; scale: Scale; progress: (text: string) => void }
/** One of the two things that a row compares. */
export type Side = (context: Context) => Promise<Trial>

export const rate =
  (run: (context: Context) => ReturnType<typeof runTrial>): Side =>
  async (context) => {
    const { rate: value, ...latency } = await run(context)
    return { value, ...latency }
  }

/** Reports a latency as the measured value. */
export const time =
  (which: 'p50' | 'p99', run: (context: Context) => ReturnType<typeof runTrial>): Side =>
  async (context) => {
    const { rate: _, ...latency } = await run(context)
    return { value: latency[which], ...latency }
  }

export const sendHttp = rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'sendHttp' }))

export const echo = rate(({ scale }) =>
  runTrial(bareSocket, { ...scale, scenario: 'sendSocket', isBare: true }),
)

export const pages = (scenario: 'historyPages' | 'conversationPages', size: 'big' | 'small') =>
  time('p50', async ({ root, scale, progress }) => {
    const database = await madeDatabase(root, scale[size], progress)
    return runTrial({ ...product(root), database }, { ...scale, scenario, users: scale[size].users })
  })

export const slowDisk = (scenario: 'historyBesideSends' | 'historyAlone') =>
  time('p99', ({ root, scale }) => runTrial({ ...product(root), fsyncDelay: 20 }, { ...scale, scenario }))

export const resuming = (scenario: 'resume' | 'noResume', { root, scale }: Context) =>
  runTrial(product(root), { ...scale, scenario, users: 10, connections: scale.missed })

export const memory =
  (server: (root: string) => Parameters<typeof runTrial>[0], isBare: boolean): Side =>
  async ({ root, scale }) => {
    const { rate: value } = await runTrial(server(root), {
      ...scale,
      scenario: 'idle',
      users: scale.idle,
      isBare,
    })
    return { value }
  }

/** Starts in an empty folder, so that the database is created too. Sends one request: polling would take processor time from the start. */
export const firstAnswer = (server: Server): Promise<Trial> =>
  withServer(server, async ({ port, started }) => {
    const [reply] = (await once(get(`http://127.0.0.1:${port}/health/live`), 'response')) as [IncomingMessage]
    if (reply.statusCode !== 200) throw new Error(`the server answered ${reply.statusCode}`)
    return { value: performance.now() - started }
  })

/** The second start of a new package, which finds the compiled code of the first. */
export const firstAnswerOfPackage: Side = async ({ root }) => {
  const server = await packaged(root)
  await firstAnswer(server)
  return firstAnswer(server)
}

export const emptyProcess = async (): Promise<Trial> => {
  const started = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return { value: performance.now() - started }
}
