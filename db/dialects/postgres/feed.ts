import type pg from 'pg'
import type { BatchResult } from '../../pending.ts'
import type { Caches, Counters } from '../../transaction.ts'
import { isNotice, type Notice } from '../../changes.ts'
import { StorageError } from '../../errors.ts'
import type { Batch } from '../../writer.ts'
import { NOW } from './clock.ts'
import type { Session } from './session.ts'

/** The channel on which a commit wakes the other nodes. */
export const CHANNEL = 'messenger_commits'

/** The largest number of rows of `feed` that are read at once. A node that is further behind publishes a gap. */
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
        select ${NOW} as now, last, user_id, conversation_id
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

/**
 * Moves the head of the session to the newest number. Removes the rows that other nodes changed from its caches, and adds their
 * commits to `session.news`.
 * @returns the time of the database
 * @throws StorageError `broken` if the head would move backwards
 */
export const takeNews = (session: Session, { state, feed }: Found): number => {
  const { now, last = 0, user_id = 0, conversation_id = 0 } = withoutNulls(state)
  let known = session.head.last
  /* c8 ignore next -- commits are lost only with a new incarnation, which is noticed first */
  if (last < known) throw lostCommits()
  for (const { first, last: end, body } of feed) {
    // Without the lock, a commit may come between the two reads. The next call takes it.
    if (first !== known + 1 || end > last) break
    const batch: Batch = { first, last: end, changes: JSON.parse(body) }
    forgetChanged(session.caches, batch)
    session.news.push(batch)
    known = end
  }
  if (known < last) {
    forgetAll(session.caches)
    // A gap: subscribers read what they missed from the other tables.
    session.news.push({ first: last + 1, last, changes: [] })
  }
  session.head = { last, user_id, conversation_id }
  return now
}

/**
 * @returns the error of a node that has seen commits which the database has lost. The database will assign their numbers to other
 *   changes, so the process must end. A new process starts from the state of the database.
 */
export const lostCommits = () =>
  new StorageError(
    'broken',
    'The database has lost commits that this node has seen: an older state of it was restored or promoted.',
  )

const withoutNulls = (state: Found['state']): Partial<Counters> & { now: number } =>
  state.last === null ? { now: state.now } : state

/** Makes the next operation read the rows that a commit of another node changed. */
const forgetChanged = (caches: Caches, { changes }: Batch) => {
  for (const { event } of changes) {
    if (event.type === 'conversation') caches.conversations.delete(event.conversation_id)
    else if (isNotice(event)) forgetNoticed(caches, event)
  }
}

const forgetNoticed = (caches: Caches, notice: Notice) => {
  switch (notice.type) {
    case 'user':
    case 'suspension':
    case 'tokens_ended':
      caches.users.delete(notice.user_id)
      return
    case 'all_tokens_ended':
      caches.users.clear()
      caches.tokenEra.clear()
      return
    case 'block':
      if (notice.conversation_id !== null) caches.conversations.delete(notice.conversation_id)
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
