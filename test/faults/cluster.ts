import { setTimeout as pause } from 'node:timers/promises'
import { query, STANDBY, startPostgres } from '../support/postgres.ts'
import { freePort, type Owner, startProcess } from '../support/process.ts'
import { logIn } from '../support/server.ts'
import { createSenders, LOAD_ENVIRONMENT, type Sender, send } from './kill.ts'

export type ClusterPlan = {
  folder: string
  /** Total of messages to send. */
  sends: number
  /** Kills of a node. */
  kills: number
  /** Restarts of the database: in turn a fast stop, an abort and a kill. */
  restarts: number
  /** Losses of the database, each followed by the promotion of a synchronous standby. */
  promotions: number
  senders: number
  /** Unacknowledged sends of one sender. */
  window: number
  /** Seconds after which the run is abandoned with a violation. */
  deadline: number
}

export type ClusterFigures = {
  sends: number
  kills: number
  restarts: number
  promotions: number
  /** Acks of retries whose message was already stored. */
  duplicates: number
  /** Sends that were refused for a while and retried after the hint. */
  refused: number
  /** Sends that each node acknowledged. */
  by_node: number[]
  seconds: number
  violations: string[]
}

type Postgres = Awaited<ReturnType<typeof startPostgres>>

const NODES = 2
const STOPS = ['fast', 'immediate', 'kill'] as const
/** Milliseconds until a sender connects again, to any node. */
const RECONNECT_MS = 50
/** Milliseconds until each connection of PostgreSQL commits by a setting that was reloaded. */
const RELOAD_MS = 1000

/**
 * Sends over sockets to two nodes of one PostgreSQL, while nodes are killed, and the database is restarted or replaced by its
 * synchronous standby, at random moments. A sender that loses its connection continues at a random node under the same keys. At the end every acknowledged message must be stored once, under
 * its id.
 */
export const killCluster = async (owner: Owner, plan: ClusterPlan): Promise<ClusterFigures> => {
  const violations: string[] = []
  let postgres = await startPostgres()
  owner.teardown(() => void postgres.end())
  await query(postgres.url('postgres'), 'create database cluster')
  const database = postgres.url('cluster')
  const ports = await Promise.all(Array.from({ length: NODES }, freePort))
  const start = (index: number) =>
    startProcess(owner, plan.folder, {
      ...LOAD_ENVIRONMENT,
      PORT: String(ports[index]),
      DATABASE_URL: database,
    })
  const nodes = [await start(0), await start(1)]
  const urls = nodes.map(({ url }) => url)
  const perSender = Math.ceil(plan.sends / plan.senders)
  const all = perSender * plan.senders
  const senders = await createSenders(plan.senders, (name) => logIn(urls[0] as string, name))
  const total = () => senders.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  const figures = { duplicates: 0, refused: 0 }
  const end = AbortSignal.timeout(plan.deadline * 1000)
  const by_node = urls.map(() => 0)
  const started = performance.now()

  const work = async (sender: Sender) => {
    while (sender.acknowledged.size < perSender && !end.aborted) {
      const node = Math.floor(Math.random() * NODES)
      const before = sender.acknowledged.size
      await send(urls[node] as string, sender, plan, perSender, { figures, violations, end })
      by_node[node] = (by_node[node] as number) + sender.acknowledged.size - before
      if (sender.acknowledged.size < perSender) await pause(RECONNECT_MS)
    }
  }

  const faults = [
    ...Array.from({ length: plan.kills }, () => async () => {
      const index = Math.floor(Math.random() * NODES)
      const { child, exited } = nodes[index] as (typeof nodes)[number]
      child.kill('SIGKILL')
      await exited
      nodes[index] = await start(index)
    }),
    ...Array.from({ length: plan.promotions }, () => async () => {
      postgres = await replace(owner, postgres)
    }),
    ...Array.from(
      { length: plan.restarts },
      (_, index) => () => postgres.restart(STOPS[index % STOPS.length]),
    ),
  ].sort(() => Math.random() - 0.5)

  const disturb = async () => {
    for (const [index, fault] of faults.entries()) {
      const goal = (all * (index + Math.random())) / faults.length
      while (total() < goal && !end.aborted) await pause(5)
      if (end.aborted) return index
      await fault()
    }
    return faults.length
  }

  const [done] = await Promise.all([disturb(), ...senders.map(work)])
  if (end.aborted)
    violations.push(`not done after ${plan.deadline} s: ${total()} acknowledged, ${done} faults`)
  for (const { child, output } of nodes) {
    if (child.exitCode !== null) violations.push(`a node ended by itself: ${output().slice(-500)}`)
  }
  await check(database, senders, perSender, violations)
  for (const { child, exited } of nodes) {
    child.kill('SIGTERM')
    await exited
  }
  await postgres.end()
  return {
    sends: total(),
    kills: plan.kills,
    restarts: plan.restarts,
    promotions: plan.promotions,
    ...figures,
    by_node,
    seconds: Math.round((performance.now() - started) / 1000),
    violations,
  }
}

/**
 * Kills a PostgreSQL under load after a synchronous standby has caught up, and promotes the standby.
 * @returns the promoted server, which listens on the same port
 */
const replace = async (owner: Owner, primary: Postgres): Promise<Postgres> => {
  const standby = await startPostgres({}, primary)
  owner.teardown(() => void standby.end())
  await query(primary.url('postgres'), `alter system set synchronous_standby_names = '${STANDBY}'`)
  await query(primary.url('postgres'), 'select pg_reload_conf()')
  const synchronous = "select 1 from pg_stat_replication where sync_state = 'sync' and state = 'streaming'"
  while ((await query(primary.url('postgres'), synchronous)).length === 0) await pause(20)
  await pause(RELOAD_MS)
  await primary.stop('kill')
  await standby.promote(primary.port())
  await primary.end()
  return standby
}

/** Checks that each send is stored once, under its acknowledged id, and in the order of its sender. */
const check = async (
  database: string,
  senders: readonly Sender[],
  perSender: number,
  violations: string[],
) => {
  for (const { name, acknowledged } of senders) {
    const rows = (await query(
      database,
      `select m.id, client_id from messages m join users u on u.id = m.sender_id
       where u.username = '${name}' order by m.id`,
    )) as { id: number; client_id: string }[]
    const ids = new Map(rows.map(({ id, client_id }) => [Number(client_id.slice(name.length + 1)), id]))
    const lost = [...acknowledged].filter(([key, id]) => ids.get(key) !== id)
    if (lost.length > 0)
      violations.push(`${name}: ${lost.length} acknowledged messages are not stored under their id`)
    if (rows.length !== perSender || ids.size !== perSender || acknowledged.size !== perSender) {
      violations.push(`${name}: ${rows.length} of ${perSender} stored, ${acknowledged.size} acknowledged`)
    }
  }
}
