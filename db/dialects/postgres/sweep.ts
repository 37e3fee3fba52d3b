import type pg from 'pg'
import { NOW } from './clock.ts'

/** Milliseconds between two sweeps of one node. */
const SWEEP_MS = 5000

/** The largest number of rows that a sweep deletes from a table: enough for 2,000 commits a second for each node. */
const MOST_ROWS = 10_000

/** Milliseconds for which `feed` is kept for nodes that fall behind, and `commits` for the lookup of a commit in doubt. */
const FEED_MS = 300_000
const COMMITS_MS = 3_600_000

/**
 * Statements that delete the oldest rows of the tables that grow with each commit or login. Each finds them by an index. Several
 * nodes may sweep at once: a statement skips the rows that another one deletes. The newest row of `commits` holds the counters and is
 * kept.
 */
const STATEMENTS: [text: string, keepMs: number][] = [
  [
    `delete from feed where ctid = any(array(
       select ctid from (select ctid, at from feed order by last limit ${MOST_ROWS}) as oldest where at < ${NOW} - $1))`,
    FEED_MS,
  ],
  [
    `delete from commits where ctid = any(array(
       select ctid from (
         select ctid, at, last from commits order by last, user_id, conversation_id limit ${MOST_ROWS}
       ) as oldest
       where at < ${NOW} - $1 and last < (select last from counter)))`,
    COMMITS_MS,
  ],
  [
    `delete from call_limits where ctid = any(array(
       select ctid from call_limits where full_at < ${NOW} - $1::bigint order by full_at limit ${MOST_ROWS}))`,
    0,
  ],
]

/** Deletes the rows that no node needs any more. @param keepMs replaces the time for which rows are kept */
export const sweep = async (pool: pg.Pool, keepMs?: number) => {
  for (const [text, usual] of STATEMENTS) await pool.query(text, [keepMs ?? usual])
}

/** Sweeps every `everyMs` milliseconds, as every node does. The next sweep repeats a failed one. @returns a function that ends it */
export const startSweep = (pool: pg.Pool, everyMs = SWEEP_MS) => {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    // A sweep takes long while the database does not answer.
    /* c8 ignore next -- whether a sweep is late is a race */
    running ??= sweep(pool)
      .catch(() => {})
      .finally(() => {
        running = undefined
      })
  }, everyMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}
