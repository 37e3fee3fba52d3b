import type { Expression, Kysely } from 'kysely'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'

type UserId = number | Expression<number> | Expression<number | null>

/** Selects the blocks between two users: none, one, or one in each direction. */
export const blockBetweenUsers = (db: Kysely<Tables>, a: UserId, b: UserId) =>
  db
    .selectFrom('blocks')
    .select('blocks.number')
    .where(({ eb, and, or }) =>
      or([
        and([eb('blocks.blocker_id', '=', a as number), eb('blocks.blocked_id', '=', b as number)]),
        and([eb('blocks.blocker_id', '=', b as number), eb('blocks.blocked_id', '=', a as number)]),
      ]),
    )

/** A row if one of two users blocks the other. */
export const blockBetween = query<{ a: number; b: number }>(({ a, b }) => [scopes.block(a, b)])((db, arg) =>
  blockBetweenUsers(db, arg('a'), arg('b')),
)

const between = ({ blocker_id, blocked_id }: { blocker_id: number; blocked_id: number }) => [
  scopes.block(blocker_id, blocked_id),
]

export const insertBlock = query<{
  blocker_id: number
  blocked_id: number
  now: number
  number: number
  low_delivered: number
  low_read: number
  high_delivered: number
  high_read: number
}>(between)((db, arg) =>
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

export const deleteBlock = query<{ blocker_id: number; blocked_id: number }>(between)((db, arg) =>
  db
    .deleteFrom('blocks')
    .where('blocker_id', '=', arg('blocker_id'))
    .where('blocked_id', '=', arg('blocked_id')),
)

/** The block of one user against another. */
export const blockOf = query<{ blocker_id: number; blocked_id: number }>(between)((db, arg) =>
  db
    .selectFrom('blocks')
    .select(['blocker_id', 'blocked_id', 'created_at', 'number'])
    .select(['low_delivered', 'low_read', 'high_delivered', 'high_read'])
    .where('blocker_id', '=', arg('blocker_id'))
    .where('blocked_id', '=', arg('blocked_id')),
)

/** A page of a user's blocks, the latest first, after the block at `created_at` of `blocked_id`. */
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
