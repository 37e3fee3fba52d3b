import type pg from 'pg'
import type { Cluster } from '../../database.ts'
import { NOW } from './clock.ts'
import { toStorageError } from './errors.ts'
import { createPresence } from './presence.ts'
import { createSignals } from './signals.ts'

/** Connects a node with the other nodes of its database: signals, presence, shared limits. `end` removes the node from the cluster. */
export const createCluster = (
  url: string,
  pool: pg.Pool,
  node: string,
  timeoutMs: number,
): Cluster & { end(): Promise<void> } => {
  let signals: ReturnType<typeof createSignals> | undefined
  let presence: ReturnType<typeof createPresence> | undefined
  return {
    node,
    join(listener) {
      signals = createSignals(url, node, listener.signal)
      presence = createPresence(pool, node, timeoutMs, listener)
    },
    send: (text) => signals?.send(text),
    setOnline: (change) => presence?.set(change),
    async take(key, perMinute) {
      try {
        const { rows } = await pool.query({ name: 'take', text: TAKE, values: [key, 60_000 / perMinute] })
        const [{ taken, wait }] = rows as [{ taken: number; wait: number }]
        return taken === 1 ? 0 : Math.max(wait, 1)
      } catch (error) {
        throw toStorageError(error)
      }
    },
    async end() {
      await Promise.all([signals?.end(), presence?.end()])
    },
  }
}

/**
 * Counts a call. `full_at` is the time at which the key has its full allowance again. Each call moves it forward by its share of the
 * minute. A call that would move it more than one minute past now is refused. The outer select reads the row as it was before the
 * statement, so `wait` may be too low if the statement waited for another call.
 */
const TAKE = `
  with now as (select ${NOW} as ms),
  taken as (
    insert into call_limits as l (key, full_at) select $1, ms + $2::float8 from now
    on conflict (key) do update set full_at = greatest(l.full_at + $2::float8, excluded.full_at)
    where greatest(l.full_at + $2::float8, excluded.full_at) <= excluded.full_at - $2::float8 + 60000
    returning 1
  )
  select
    (select count(*) from taken) as taken,
    (select coalesce(max(full_at), ms) + $2::float8 - 60000 - ms from call_limits where key = $1) as wait
  from now`
