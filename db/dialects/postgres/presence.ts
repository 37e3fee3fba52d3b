import type pg from 'pg'
import type { ClusterListener, Online } from '../../database.ts'
import { NOW } from './clock.ts'
import { all } from './session.ts'

type PresenceRow = { node: string; user_id: number; username: string; online: 0 | 1; seq: number }

/** Beats of a node in the time after which the other nodes treat a silent node as ended. */
const BEATS = 15

/** Beats between two sweeps. A sweep deletes the rows of offline users that are older than the sweep before: every node has read them. */
const SWEEP_BEATS = 60

/**
 * Publishes the online users of this node to the other nodes, and reads theirs. Each node writes rows of its own into the table
 * `presence`. `seq` numbers the changes of one node, and the other nodes read the changes after the last one that they know. A beat
 * does all this in one transaction and one round trip.
 * @param node the name of this node
 * @param timeoutMs milliseconds without a beat after which the users of a node are offline
 */
export const createPresence = (
  pool: pg.Pool,
  node: string,
  timeoutMs: number,
  { online, nodeEnded }: ClusterListener,
) => {
  const mine = new Map<number, string>()
  let changed = new Map<number, Online>()
  /** The `seq` of the last change that was read from each other node. */
  const known = new Map<string, number>()
  let seq = 0
  let beats = 0
  let sweptSeq = 0
  let isEnded = false

  const beat = async () => {
    const rows = [...changed.values()]
    changed = new Map()
    const client = await pool.connect().catch(() => undefined)
    try {
      if (!client) throw new Error('The database does not answer.')
      beats += 1
      const isSweep = beats % SWEEP_BEATS === 0
      const [, { rows: own }, , , , { rows: alive }, { rows: news }] = await all([
        client.query('begin'),
        client.query({
          name: 'beat',
          text: `insert into nodes (name, seen_at) values ($1, ${NOW})
                 on conflict (name) do update set seen_at = excluded.seen_at returning (xmax = 0) as is_new`,
          values: [node],
        }),
        client.query({
          name: 'write presence',
          text: `insert into presence (node, user_id, username, online, seq)
                 select $1, * from unnest($2::bigint[], $3::text[], $4::smallint[], $5::bigint[])
                 on conflict (node, user_id) do update set online = excluded.online, seq = excluded.seq`,
          values: [
            node,
            rows.map(({ user_id }) => user_id),
            rows.map(({ username }) => username),
            rows.map((row) => Number(row.online)),
            rows.map(() => (seq += 1)),
          ],
        }),
        client.query({
          name: 'end nodes',
          // Skips locked rows, so that two nodes that delete the same row do not wait for each other.
          text: `with ended as (
                   delete from nodes where name in (
                     select name from nodes where seen_at < ${NOW} - $1 for update skip locked
                   ) returning name
                 ) delete from presence where node in (select name from ended)`,
          values: [timeoutMs],
        }),
        isSweep
          ? client.query('delete from presence where node = $1 and online = 0 and seq <= $2', [
              node,
              sweptSeq,
            ])
          : undefined,
        client.query({
          name: 'alive',
          text: `select name from nodes where seen_at >= ${NOW} - $1 and name <> $2`,
          values: [timeoutMs, node],
        }),
        client.query({
          name: 'read presence',
          text: `select p.node, p.user_id, p.username, p.online, p.seq
                 from nodes as n
                 left join unnest($1::text[], $2::bigint[]) as k (node, seq) on k.node = n.name
                 cross join lateral (
                   select * from presence where node = n.name and seq > coalesce(k.seq, 0) order by seq
                 ) as p
                 where n.name <> $3`,
          values: [[...known.keys()], [...known.values()], node],
        }),
        client.query('commit'),
      ])
      if (isSweep) sweptSeq = seq
      client.release()
      if (own[0].is_new === 1 && beats > 1) startAgain()
      else take(new Set(alive.map(({ name }) => name)), news)
    } catch (error) {
      /* c8 ignore next -- whether the pool or a query notices the loss first is a race */
      client?.release(error as Error)
      // The next beat writes these rows, unless they have changed meanwhile.
      for (const row of rows) if (!changed.has(row.user_id)) changed.set(row.user_id, row)
    }
  }

  const take = (alive: Set<string>, news: PresenceRow[]) => {
    for (const name of known.keys()) if (!alive.has(name)) end(name)
    for (const name of alive) if (!known.has(name)) known.set(name, 0)
    for (const { node: name, user_id, username, online: value, seq: number } of news) {
      /* c8 ignore next -- a race: the node ended between the two reads */
      if (!known.has(name)) continue
      known.set(name, number)
      online(name, { user_id, username, online: value === 1 })
    }
  }

  const end = (name: string) => {
    known.delete(name)
    nodeEnded(name)
  }

  /**
   * Forgets the other nodes, and writes all users of this node again. The row of this node was deleted: by another node, which did
   * not see a beat in time, or by a crash of PostgreSQL, which empties both tables.
   */
  const startAgain = () => {
    for (const name of known.keys()) end(name)
    for (const [user_id, username] of mine) changed.set(user_id, { user_id, username, online: true })
  }

  let isBeating = false
  const beatOnce = async () => {
    isBeating = true
    await beat()
    isBeating = false
  }
  let running = beatOnce()
  const timer = setInterval(() => {
    // A beat takes long while the database does not answer.
    /* c8 ignore next -- whether a beat is late is a race */
    if (!isBeating && !isEnded) running = beatOnce()
  }, timeoutMs / BEATS)
  timer.unref()

  return {
    set(change: Online) {
      if (change.online) mine.set(change.user_id, change.username)
      else mine.delete(change.user_id)
      changed.set(change.user_id, change)
    },
    /** Deletes the rows of this node. At their next beat the other nodes report its users as offline. */
    async end() {
      isEnded = true
      clearInterval(timer)
      await running
      await pool
        .query(
          'with ended as (delete from nodes where name = $1 returning name) delete from presence where node in (select name from ended)',
          [node],
        )
        .catch(() => {})
    },
  }
}
