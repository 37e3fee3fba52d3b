/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { madeDatabase, type Size } from './database.ts'
import { CONTENT } from './load/identity.ts'
import type { Span } from './load/window.ts'
import type { Latency } from './statistics.ts'
import { bareBroadcast, bareHttp, bareSocket, oneByOne, product, runTrial, withServer } from './trial.ts'

/** Size and duration of every trial. `warmUp` and `measure` are milliseconds. */
export type Scale = Span & {
  repetitions: number
  big: Size
  small: Size
  idle: number
  devices: number
  missed: number
}

export const full: Scale = {
  repetitions: 5,
  warmUp: 2000,
  measure: 3000,
  big: { people: 10_000, messages: 1_000_000 },
  small: { people: 100, messages: 10_000 },
  idle: 10_000,
  devices: 200,
  missed: 100_000,
}

/** Runs each bench for a moment to prove that it works. Its figures mean nothing. */
export const smoke: Scale = {
  repetitions: 1,
  warmUp: 100,
  measure: 300,
  big: { people: 64, messages: 2000 },
  small: { people: 32, messages: 500 },
  idle: 40,
  devices: 5,
  missed: 500,
}

/** Command-line options that change the scale. */
export const scaleOptions = {
  repeat: { type: 'string' },
  'warm-up': { type: 'string' },
  measure: { type: 'string' },
  smoke: { type: 'boolean', default: false },
} as const
export const SCALE_USAGE = `--repeat N        number of repetitions (default 5)
--warm-up MS      milliseconds before counting starts (default 2000; use more on a busy machine)
--measure MS      milliseconds that count (default 3000)
--smoke           runs each bench for a moment to prove that it works; its figures mean nothing`

export const scaleOf = (values: {
  smoke?: boolean
  repeat?: string | undefined
  'warm-up'?: string | undefined
  measure?: string | undefined
}): Scale => {
  const scale = { ...(values.smoke ? smoke : full) }
  if (values.repeat) scale.repetitions = Number(values.repeat)
  if (values['warm-up']) scale.warmUp = Number(values['warm-up'])
  if (values.measure) scale.measure = Number(values.measure)
  return scale
}

/** Result of one trial: the measured value and, for calls, their latency in milliseconds. */
export type Trial = { value: number; cpu?: number | undefined } & Partial<Latency>

export type Context = { root: string; scale: Scale; progress: (text: string) => void }
type Side = (context: Context) => Promise<Trial>

export type Row = {
  name: string
  title: string
  beside: string
  unit: string
  /** Whether the row reports the ratio of the two values or their difference. */
  figure: 'ratio' | 'difference'
  /** Absent for a row that is only printed. */
  target?: { reach: number; aim: number; isAtMost: boolean }
  product: Side
  compared: Side
}

const rate =
  (run: (context: Context) => ReturnType<typeof runTrial>): Side =>
  async (context) => {
    const { rate: value, ...latency } = await run(context)
    return { value, ...latency }
  }

/** Reports a latency as the measured value. */
const time =
  (which: 'p50' | 'p99', run: (context: Context) => ReturnType<typeof runTrial>): Side =>
  async (context) => {
    const { rate: _, ...latency } = await run(context)
    return { value: latency[which], ...latency }
  }

const sendHttp = rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'sendHttp' }))

const echo = rate(({ scale }) => runTrial(bareSocket, { ...scale, scenario: 'sendSocket', isBare: true }))

const pages = (scenario: 'historyPages' | 'conversationPages', size: 'big' | 'small') =>
  time('p50', async ({ root, scale, progress }) => {
    const database = await madeDatabase(root, scale[size], progress)
    return runTrial({ ...product(root), database }, { ...scale, scenario, people: scale[size].people })
  })

const slowDisk = (scenario: 'historyBesideSends' | 'historyAlone') =>
  time('p99', ({ root, scale }) => runTrial({ ...product(root), fsyncDelay: 20 }, { ...scale, scenario }))

const resuming = (scenario: 'resume' | 'noResume', { root, scale }: Context) =>
  runTrial(product(root), { ...scale, scenario, people: 10, connections: scale.missed })

const atLeast = (reach: number, aim: number) => ({ reach, aim, isAtMost: false })
const atMost = (reach: number, aim: number) => ({ reach, aim, isAtMost: true })

export const rows: readonly Row[] = [
  {
    name: 'send-http',
    title: '`POST /send`, 64 connections, durable, JWT checked, all on',
    beside: 'a bare Fastify POST with the same body and reply schema and no work',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.6, 0.8),
    product: sendHttp,
    compared: rate(({ scale }) => runTrial(bareHttp, { ...scale, scenario: 'sendHttp', isBare: true })),
  },
  {
    name: 'send-http-one-by-one',
    title: 'the same',
    beside: 'the same server committing each request by itself',
    unit: '/s',
    figure: 'ratio',
    product: sendHttp,
    compared: rate(({ root, scale }) => runTrial(oneByOne(root), { ...scale, scenario: 'sendHttp' })),
  },
  {
    name: 'send-socket',
    title:
      'socket `send` with `client_id` (UUIDv7) → durable → `ack` and delivery to the receiver, 64 clients × 8 in flight, in a new database',
    beside: 'a bare `ws` echo of the same frames',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.33, 0.45),
    product: rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'sendSocket' })),
    compared: echo,
  },
  {
    name: 'send-socket-big',
    title:
      'the same with 1,000,000 messages of 10,000 people in the database, senders drawn from all of them',
    beside: 'the same echo',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.2, 0.33),
    product: rate(async ({ root, scale, progress }) => {
      const database = await madeDatabase(root, scale.big, progress)
      return runTrial(
        { ...product(root), database },
        {
          ...scale,
          scenario: 'sendSocketBig',
          people: scale.big.people,
          connections: Math.min(64, scale.big.people / 2),
        },
      )
    }),
    compared: echo,
  },
  {
    name: 'history',
    title: '`GET /history/:username?limit=50`',
    beside: 'a bare Fastify GET giving the same 50 rows from memory by the same schema',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.5, 0.7),
    product: rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'history' })),
    compared: rate(({ scale }) => runTrial(bareHttp, { ...scale, scenario: 'history', isBare: true })),
  },
  {
    name: 'history-big',
    title: '`GET /history` (20 rows a page) in a database with 1,000,000 messages, 10,000 people: median',
    beside: 'the same with 10,000 messages, 100 people',
    unit: ' ms',
    figure: 'ratio',
    target: atMost(1.3, 1.1),
    product: pages('historyPages', 'big'),
    compared: pages('historyPages', 'small'),
  },
  {
    name: 'conversations-big',
    title: '`GET /conversations` (20 rows a page) in the same database: median',
    beside: 'the same with 10,000 messages, 100 people',
    unit: ' ms',
    figure: 'ratio',
    target: atMost(1.3, 1.1),
    product: pages('conversationPages', 'big'),
    compared: pages('conversationPages', 'small'),
  },
  {
    name: 'idle',
    title: 'idle `messenger.v1` sockets, 10,000 of them: resident memory each',
    beside: 'bare idle `ws` sockets',
    unit: ' bytes',
    figure: 'ratio',
    target: atMost(1.5, 1.2),
    product: memory((root) => product(root), false),
    compared: memory(() => bareSocket, true),
  },
  {
    name: 'fan-out',
    title: 'one sender, a receiver with 200 devices: deliveries/s',
    beside: 'bare `ws` broadcasting the same bytes',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.6, 0.85),
    product: rate(({ root, scale }) =>
      runTrial(product(root), { ...scale, scenario: 'fanOut', connections: scale.devices }),
    ),
    compared: rate(({ scale }) =>
      runTrial(bareBroadcast, { ...scale, scenario: 'fanOut', connections: scale.devices, isBare: true }),
    ),
  },
  {
    name: 'slow-disk',
    title: '`GET /history` p99 while sends saturate the writer and each fsync takes 20 ms more',
    beside: 'the same with no sends',
    unit: ' ms',
    figure: 'difference',
    target: atMost(10, 5),
    product: slowDisk('historyBesideSends'),
    compared: slowDisk('historyAlone'),
  },
  {
    name: 'resume',
    title:
      'round trip of other clients’ sends, p99, while a device reads 100,000 missed messages again and again',
    beside: 'the same without a resuming device',
    unit: ' ms',
    figure: 'difference',
    target: atMost(50, 20),
    product: time('p99', (context) => resuming('resume', context)),
    compared: time('p99', (context) => resuming('noResume', context)),
  },
  {
    name: 'resume-memory',
    title: 'peak growth of resident memory during `resume`',
    beside: 'nothing',
    unit: ' MB',
    figure: 'difference',
    target: atMost(50, 20),
    product: async (context) => ({ value: ((await resuming('resume', context)).grown as number) / 1e6 }),
    compared: async () => ({ value: 0 }),
  },
  {
    name: 'start',
    title: 'process start to first answer',
    beside: '`node -e 0`',
    unit: ' ms',
    figure: 'difference',
    target: atMost(1000, 400),
    product: ({ root }) => firstAnswer(root),
    compared: emptyProcess,
  },
  {
    name: 'disk',
    title: 'a 1,000,000-message database: bytes on disk a message of 60 characters',
    beside: 'the content’s own bytes',
    unit: ' bytes',
    figure: 'ratio',
    target: atMost(5, 4),
    product: async ({ root, scale, progress }) => ({
      value: statSync(await madeDatabase(root, scale.big, progress)).size / scale.big.messages,
    }),
    compared: async () => ({ value: CONTENT.length }),
  },
]

/** @throws Error when a name matches no row */
export const rowsNamed = (only: readonly string[] | undefined): readonly Row[] => {
  if (!only) return rows
  const unknown = only.find((name) => !rows.some((row) => row.name === name))
  if (unknown !== undefined) throw new Error(`There is no row named ${unknown}.`)
  return rows.filter(({ name }) => only.includes(name))
}

function memory(server: (root: string) => Parameters<typeof runTrial>[0], isBare: boolean): Side {
  return async ({ root, scale }) => {
    const { rate: value } = await runTrial(server(root), {
      ...scale,
      scenario: 'idle',
      people: scale.idle,
      isBare,
    })
    return { value }
  }
}

/** Starts in an empty folder, so that the database is created too. Sends one request: polling would take processor time from the start. */
function firstAnswer(root: string): Promise<Trial> {
  return withServer(product(root), async ({ port, started }) => {
    const [reply] = (await once(get(`http://127.0.0.1:${port}/health/live`), 'response')) as [IncomingMessage]
    if (reply.statusCode !== 200) throw new Error(`the server answered ${reply.statusCode}`)
    return { value: performance.now() - started }
  })
}

async function emptyProcess(): Promise<Trial> {
  const started = performance.now()
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
  return { value: performance.now() - started }
}
