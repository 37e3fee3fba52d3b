import type pg from 'pg'
import type { Cluster } from '../../database.ts'
import { NOW } from './clock.ts'
import { toStorageError } from './errors.ts'
import { createPresence } from './presence.ts'
import { createSignals } from './signals.ts'

/** What a node shares with the others of its database. `end` takes it out of the cluster. */
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
 * Counts a call. `full_at` is when the key has all its calls again: each call moves it by its share of the minute, and a call that
 * would move it past a minute from now is refused. The outer select reads the row as it was before, so `wait` may be too low after a
 * wait for another call.
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
