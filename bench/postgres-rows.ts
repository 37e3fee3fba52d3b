/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import type { Scenario } from './load/scenarios.ts'
import { newPostgresDatabase } from './postgres.ts'
import { atLeast, atMost, type Row } from './row.ts'
import { type Context, rate, sendHttp, time } from './sides.ts'
import { onPostgres, product, runLoad, runTrial, type Work, withServer } from './trial.ts'

const run = async ({ root, scale }: Context, work: Pick<Work, 'scenario'> & Partial<Work>) =>
  runTrial(onPostgres(product(root), await newPostgresDatabase()), { ...scale, ...work })
const on = (scenario: Scenario) => rate((context) => run(context, { scenario }))
const onSqlite = (scenario: Scenario) =>
  rate(({ root, scale }) => runTrial(product(root), { ...scale, scenario }))

/** One user who sends one message at a time. */
const ALONE = { scenario: 'sendHttp', users: 2, connections: 1 } as const

/** Two nodes share one database, and every second connection goes to the second node. */
const twoNodes = rate(async ({ root, scale }) => {
  const node = onPostgres(product(root), await newPostgresDatabase())
  return withServer(node, (first) =>
    withServer(node, (second) =>
      runLoad(first.port, first.pid, { ...scale, scenario: 'sendHttp', secondPort: second.port }),
    ),
  )
})

const SQLITE = 'the same with the default database, a SQLite file'

/** PostgreSQL, the nodes and the load share the machine. */
export const postgresRows: readonly Row[] = [
  {
    name: 'send-http-postgres',
    title: '`POST /send` over 64 connections with PostgreSQL: requests/s',
    beside: SQLITE,
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.5, 0.7),
    product: on('sendHttp'),
    compared: sendHttp,
  },
  {
    name: 'send-socket-postgres',
    title: '`send` over 64 sockets with 8 messages in flight each, with PostgreSQL: messages/s',
    beside: SQLITE,
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.5, 0.7),
    product: on('sendSocket'),
    compared: onSqlite('sendSocket'),
  },
  {
    name: 'history-postgres',
    title: '`GET /history/:username?limit=50` over 64 connections with PostgreSQL: requests/s',
    beside: SQLITE,
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.4, 0.6),
    product: on('history'),
    compared: onSqlite('history'),
  },
  {
    name: 'send-alone-postgres',
    title: '`POST /send` over one connection, one at a time, with PostgreSQL: median',
    beside: SQLITE,
    unit: ' ms',
    figure: 'ratio',
    target: atMost(3, 2),
    product: time('p50', (context) => run(context, ALONE)),
    compared: time('p50', ({ root, scale }) => runTrial(product(root), { ...scale, ...ALONE })),
  },
  {
    name: 'two-nodes-postgres',
    title: '`POST /send` over 64 connections to two nodes with one PostgreSQL: requests/s',
    beside: 'the same with one node',
    unit: '/s',
    figure: 'ratio',
    target: atLeast(0.8, 1),
    product: twoNodes,
    compared: on('sendHttp'),
  },
]
