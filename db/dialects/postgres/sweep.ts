import type pg from 'pg'
import { NOW } from './clock.ts'

/** Milliseconds between two sweeps of one node. */
const SWEEP_MS = 5000

/** Rows of a table that one sweep looks at: 2,000 commits a second for each node. */
const MOST_ROWS = 10_000

/** Milliseconds for which a node that falls behind finds the commits, and for which a commit in doubt finds its own. */
const FEED_MS = 300_000
const COMMITS_MS = 3_600_000

/**
 * Deletes the oldest rows of what grows with each commit or login, by an index that has the oldest first. Several nodes may sweep at
 * once: a row that one deletes is missing for the others. The newest row of `commits` holds the counters and stays.
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

/** Deletes what no node needs any more. @param keepMs replaces the time for which rows are kept */
export const sweep = async (pool: pg.Pool, keepMs?: number) => {
  for (const [text, usual] of STATEMENTS) await pool.query(text, [keepMs ?? usual])
}

/** Sweeps from time to time, as every node does. A sweep that fails is repeated by the next. @returns a function that ends it */
export const startSweep = (pool: pg.Pool, everyMs = SWEEP_MS) => {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    // A sweep lasts long while the database does not answer.
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
