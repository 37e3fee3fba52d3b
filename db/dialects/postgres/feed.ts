import type pg from 'pg'
import type { BatchResult } from '../../pending.ts'
import type { Caches, Counters } from '../../transaction.ts'
import type { Batch } from '../../writer.ts'
import type { Session } from './session.ts'

/** What other nodes committed since this node's head, in order. */
export type News = {
  batches: readonly Batch[]
  /** The newest number, if some commits up to it are not known: subscribers read the database. */
  gapUpTo?: number
}

/** The channel on which a commit wakes the other nodes. */
export const CHANNEL = 'messenger_commits'

/** Rows of `feed` that are read at once. A node that is further behind reads the other tables. */
const MAX_ROWS = 64

type Found = {
  state: Partial<Counters> & { now: number }
  feed: { first: number; last: number; body: string }[]
}

/** Reads the newest counters, the clock, and the commits after `head`. */
export const readNews = async (client: pg.ClientBase, { last }: Counters): Promise<Found> => {
  const [state, feed] = await Promise.all([
    client.query({
      name: 'state',
      text: `
        select (extract(epoch from clock_timestamp()) * 1000)::bigint as now, last, user_id, conversation_id
        from (select 1) as one left join (
          select last, user_id, conversation_id from commits
          order by last desc, user_id desc, conversation_id desc limit 1
        ) as newest on true`,
    }),
    client.query({
      name: 'feed',
      text: `select first, last, body from feed where last > $1 order by last limit ${MAX_ROWS}`,
      values: [last],
    }),
  ])
  return { state: state.rows[0], feed: feed.rows }
}

/** Moves the session to the newest head, and its caches with it. */
export const takeNews = (session: Session, { state, feed }: Found): { news: News; now: number } => {
  const { now, last = 0, user_id = 0, conversation_id = 0 } = withoutNulls(state)
  const batches: Batch[] = []
  let known = session.head.last
  for (const { first, last: end, body } of feed) {
    if (first !== known + 1) break
    batches.push({ first, last: end, changes: JSON.parse(body) })
    known = end
  }
  const isComplete = known >= last
  if (isComplete) for (const batch of batches) forgetChanged(session.caches, batch)
  else forgetAll(session.caches)
  session.head = { last, user_id, conversation_id }
  return { news: isComplete ? { batches } : { batches, gapUpTo: last }, now }
}

const withoutNulls = (state: Found['state']): Partial<Counters> & { now: number } =>
  state.last === null ? { now: state.now } : state

/** Makes the next operation read the rows that a commit of another node changed. */
const forgetChanged = (caches: Caches, { changes }: Batch) => {
  for (const { event } of changes) {
    if (event.type === 'conversation') caches.conversations.delete(event.conversation_id)
  }
}

const forgetAll = (caches: Caches) => {
  for (const cache of Object.values(caches)) cache.clear()
}

/** Stores a batch for the other nodes and wakes them. */
export const insertFeed = ({ client, node }: Session, { first, last, changes }: BatchResult, now: number) =>
  Promise.all([
    client.query({
      name: 'insert feed',
      text: 'insert into feed (first, last, at, body) values ($1, $2, $3, $4)',
      values: [first, last, now, JSON.stringify(changes.map(({ operation: _, ...change }) => change))],
    }),
    client.query({ name: 'notify', text: `select pg_notify('${CHANNEL}', $1)`, values: [node] }),
  ])
