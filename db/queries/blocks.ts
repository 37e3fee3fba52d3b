import { query } from '../query.ts'

export const insertBlock = query<{
  blocker_id: number
  blocked_id: number
  now: number
  number: number
  low_delivered: number
  low_read: number
  high_delivered: number
  high_read: number
}>()((db, arg) =>
  db.insertInto('blocks').values({
    blocker_id: arg('blocker_id'),
    blocked_id: arg('blocked_id'),
    created_at: arg('now'),
    number: arg('number'),
    low_delivered: arg('low_delivered'),
    low_read: arg('low_read'),
    high_delivered: arg('high_delivered'),
    high_read: arg('high_read'),
  }),
)

export const deleteBlock = query<{ blocker_id: number; blocked_id: number }>()((db, arg) =>
  db
    .deleteFrom('blocks')
    .where('blocker_id', '=', arg('blocker_id'))
    .where('blocked_id', '=', arg('blocked_id')),
)

export const blockOf = query<{ blocker_id: number; blocked_id: number }>()((db, arg) =>
  db
    .selectFrom('blocks')
    .selectAll()
    .where('blocker_id', '=', arg('blocker_id'))
    .where('blocked_id', '=', arg('blocked_id')),
)

/** Behind one of them, the latest first. */
export const blocksBy = query<{
  blocker_id: number
  created_at: number
  blocked_id: number
  limit: number
}>()((db, arg) =>
  db
    .selectFrom((inner) =>
      inner
        .selectFrom('blocks')
        .select(['blocked_id', 'created_at'])
        .where('blocker_id', '=', arg('blocker_id'))
        .where(({ eb, refTuple, tuple }) =>
          eb(refTuple('created_at', 'blocked_id'), '<', tuple(arg('created_at'), arg('blocked_id'))),
        )
        .orderBy('created_at', 'desc')
        .orderBy('blocked_id', 'desc')
        .limit(arg('limit'))
        .as('found'),
    )
    .crossJoin('users')
    .select(['found.blocked_id', 'found.created_at', 'users.username'])
    .whereRef('users.id', '=', 'found.blocked_id')
    .orderBy('found.created_at', 'desc')
    .orderBy('found.blocked_id', 'desc'),
)
