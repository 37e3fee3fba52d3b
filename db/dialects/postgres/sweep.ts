import type pg from 'pg'

/** Milliseconds between two sweeps of one node. */
const SWEEP_MS = 5000

/** Rows of a table that one sweep looks at: 2,000 commits a second for each node. */
const MOST_ROWS = 10_000

/** Milliseconds for which a node that falls behind finds the commits, and for which a commit in doubt finds its own. */
const FEED_MS = 300_000
const COMMITS_MS = 3_600_000

/**
 * Deletes the oldest rows of what grows with each commit. The index on the numbers finds them; rows are never updated, so a row that
 * another node deletes meanwhile is only missed. The newest row of `commits` holds the counters and stays.
 */
const STATEMENTS: [text: string, keepMs: number][] = [
  [
    `delete from feed where ctid = any(array(
       select ctid from (select ctid, at from feed order by last limit ${MOST_ROWS}) as oldest where at < $1))`,
    FEED_MS,
  ],
  [
    `delete from commits where ctid = any(array(
       select ctid from (
         select ctid, at, last from commits order by last, user_id, conversation_id limit ${MOST_ROWS}
       ) as oldest
       where at < $1 and last < (select last from counter)))`,
    COMMITS_MS,
  ],
]

/** Deletes what no node needs any more. @param now milliseconds since 1970 */
export const sweep = async (pool: pg.Pool, now = Date.now()) => {
  for (const [text, keepMs] of STATEMENTS) await pool.query(text, [now - keepMs])
}

/** Sweeps from time to time, as every node does. A sweep that fails is repeated by the next. @returns a function that ends it */
export const startSweep = (pool: pg.Pool, everyMs = SWEEP_MS) => {
  let running = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(() => sweep(pool)).catch(() => {})
  }, everyMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}
