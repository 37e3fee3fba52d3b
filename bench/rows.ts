/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { statSync } from 'node:fs'
import { madeDatabase } from './database.ts'
import { CONTENT } from './load/identity.ts'
import { hasPostgres } from './postgres.ts'
import { postgresRows } from './postgres-rows.ts'
import { atLeast, atMost, type Row } from './row.ts'
import {
  echo,
  emptyProcess,
  firstAnswer,
  firstAnswerOfPackage,
  memory,
  pages,
  rate,
  resuming,
  sendHttp,
  slowDisk,
  time,
} from './sides.ts'
import { bareBroadcast, bareHttp, bareSocket, oneByOne, product, runTrial } from './trial.ts'

const ownRows: readonly Row[] = [
  {
    name: 'send-http',
    title: '`POST /send` over 64 connections with default settings: requests/s',
    beside: 'a bare Fastify route with the same schemas and a constant reply',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.6, 0.8),
    product: sendHttp,
    compared: rate(({ scale }) => runTrial(bareHttp, { ...scale, scenario: 'sendHttp', isBare: true })),
  },
  {
    name: 'send-http-one-by-one',
    title: '`POST /send` over 64 connections with default settings: requests/s',
    beside: 'the same server with one transaction and one fsync per request',
    unit: '/s',
    figure: 'ratio',
    product: sendHttp,
    compared: rate(({ root, scale }) => runTrial(oneByOne(root), { ...scale, scenario: 'sendHttp' })),
  },
  {
    name: 'send-socket',
    title: '`send` over 64 sockets with 8 messages in flight each, in a new database: messages/s',
    beside: 'a bare `ws` server that echoes the same frames',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.33, 0.45),
    product: rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'sendSocket' })),
    compared: echo,
  },
  {
    name: 'send-socket-big',
    title:
      '`send` with 10,000 sockets open and a database of 1,000,000 messages, 64 senders at a time with 8 messages in flight each: messages/s',
    beside: 'a bare `ws` server that echoes the frames of `send-socket`',
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
          users: scale.big.users,
          connections: Math.min(64, scale.big.users / 2),
        },
      )
    }),
    compared: echo,
  },
  {
    name: 'history',
    title: '`GET /history/:username?limit=50` over 64 connections: requests/s',
    beside: 'a bare Fastify route that returns 50 such rows from memory by the same schema',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.5, 0.7),
    product: rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario: 'history' })),
    compared: rate(({ scale }) => runTrial(bareHttp, { ...scale, scenario: 'history', isBare: true })),
  },
  {
    name: 'history-big',
    title: '`GET /history/:username?limit=20` in a database of 10,000 users and 1,000,000 messages: median',
    beside: 'the same request in a database of 100 users and 10,000 messages',
    unit: ' ms',
    figure: 'ratio',
    target: atMost(1.3, 1.1),
    product: pages('historyPages', 'big'),
    compared: pages('historyPages', 'small'),
  },
  {
    name: 'conversations-big',
    title: '`GET /conversations?limit=20` in a database of 10,000 users and 1,000,000 messages: median',
    beside: 'the same request in a database of 100 users and 10,000 messages',
    unit: ' ms',
    figure: 'ratio',
    target: atMost(1.3, 1.1),
    product: pages('conversationPages', 'big'),
    compared: pages('conversationPages', 'small'),
  },
  {
    name: 'idle',
    title: 'resident memory per idle `messenger.v1` socket, with 10,000 sockets',
    beside: 'the same per idle socket of a bare `ws` server',
    unit: ' bytes',
    figure: 'ratio',
    target: atMost(1.5, 1.2),
    product: memory((root) => product(root), false),
    compared: memory(() => bareSocket, true),
  },
  {
    name: 'fan-out',
    title: 'one sender to one receiver with 200 sockets: deliveries/s',
    beside: 'a bare `ws` server that broadcasts frames of the same size',
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
    title: '`GET /history` while sends saturate the writer and each fsync takes 20 ms longer: p99',
    beside: 'the same without sends',
    unit: ' ms',
    figure: 'difference',
    target: atMost(10, 5),
    product: slowDisk('historyBesideSends'),
    compared: slowDisk('historyAlone'),
  },
  {
    name: 'resume',
    title:
      'acknowledgement of other clients’ sends while a device repeatedly resumes 100,000 missed messages: p99',
    beside: 'the same without the resuming device',
    unit: ' ms',
    figure: 'difference',
    target: atMost(50, 20),
    product: time('p99', (context) => resuming('resume', context)),
    compared: time('p99', (context) => resuming('noResume', context)),
  },
  {
    name: 'resume-memory',
    title: 'peak growth of resident memory while a device repeatedly resumes 100,000 missed messages',
    beside: '0 MB',
    unit: ' MB',
    figure: 'difference',
    target: atMost(50, 20),
    product: async (context) => ({ value: ((await resuming('resume', context)).grown as number) / 1e6 }),
    compared: async () => ({ value: 0 }),
  },
  {
    name: 'start',
    title: 'time from process start to the first reply',
    beside: 'time of `node -e 0`',
    unit: ' ms',
    figure: 'difference',
    target: atMost(1000, 400),
    product: ({ root }) => firstAnswer(product(root)),
    compared: emptyProcess,
  },
  {
    name: 'start-package',
    title: 'time from process start of the package to the first reply',
    beside: 'time of `node -e 0`',
    unit: ' ms',
    figure: 'difference',
    target: atMost(400, 300),
    product: firstAnswerOfPackage,
    compared: emptyProcess,
  },
  {
    name: 'disk',
    title: 'bytes on disk per message of 60 characters, in a database of 1,000,000 messages',
    beside: 'the 60 bytes of the content',
    unit: ' bytes',
    figure: 'ratio',
    target: atMost(5, 4),
    product: async ({ root, scale, progress }) => ({
      value: statSync(await madeDatabase(root, scale.big, progress)).size / scale.big.messages,
    }),
    compared: async () => ({ value: CONTENT.length }),
  },
]

/** The rows of PostgreSQL are left out on a machine without its binaries. */
export const rows: readonly Row[] = [...ownRows, ...(hasPostgres ? postgresRows : [])]

/** @throws Error when a name matches no row */
export const rowsNamed = (only: readonly string[] | undefined): readonly Row[] => {
  if (!only) return rows
  const unknown = only.find((name) => !rows.some((row) => row.name === name))
  if (unknown !== undefined) throw new Error(`There is no row named ${unknown}.`)
  return rows.filter(({ name }) => only.includes(name))
}
