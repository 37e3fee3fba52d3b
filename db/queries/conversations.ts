import { sql } from 'kysely'
import { query } from '../query.ts'

/** A conversation as the writer needs it: whether a block stands between the two of a direct one is part of it. */
const room = ['id', 'kind', 'title', 'low_id', 'high_id'] as const
const isBlocked = sql<0 | 1>`exists (
  select 1 from blocks where (blocker_id = low_id and blocked_id = high_id) or (blocker_id = high_id and blocked_id = low_id)
)`.as('blocked')

export const roomById = query<{ id: number }>()((db, arg) =>
  db.selectFrom('conversations').select(room).select(isBlocked).where('id', '=', arg('id')),
)

export const roomByPair = query<{ low_id: number; high_id: number }>()((db, arg) =>
  db
    .selectFrom('conversations')
    .select(room)
    .select(isBlocked)
    .where('low_id', '=', arg('low_id'))
    .where('high_id', '=', arg('high_id')),
)

export const insertConversation = query<{
  kind: 'direct' | 'group'
  low_id: number | null
  high_id: number | null
  title: string | null
  member_count: number
  number: number
}>()((db, arg) =>
  db.insertInto('conversations').values({
    kind: arg('kind'),
    low_id: arg('low_id'),
    high_id: arg('high_id'),
    title: arg('title'),
    member_count: arg('member_count'),
    changed: arg('number'),
  }),
)

/** A group with the key under which it is requested again. */
export const insertGroup = query<{
  title: string
  member_count: number
  number: number
  creator_id: number | null
  client_id: string | null
  request_hash: Uint8Array | null
}>()((db, arg) =>
  db.insertInto('conversations').values({
    kind: 'group',
    title: arg('title'),
    member_count: arg('member_count'),
    changed: arg('number'),
    creator_id: arg('creator_id'),
    client_id: arg('client_id'),
    request_hash: arg('request_hash'),
  }),
)

export const groupByClientId = query<{ client_id: string; creator_id: number }>()((db, arg) =>
  db
    .selectFrom('conversations')
    .select(['id', 'request_hash'])
    .where('client_id', '=', arg('client_id'))
    .where('creator_id', '=', arg('creator_id')),
)

export const setGroup = query<{ id: number; title: string; member_count: number; number: number }>()(
  (db, arg) =>
    db
      .updateTable('conversations')
      .set({ title: arg('title'), member_count: arg('member_count'), changed: arg('number') })
      .where('id', '=', arg('id')),
)
