import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'
import { messageColumns } from './messages.ts'
import { namedReports } from './reports.ts'

/**
 * The changes of everybody, read from the current rows. Each query reads the rows whose number lies in (`after`, `up_to`], the
 * lowest first: a range of an index. `limit` bounds the rows. `cross join` fixes the join order: otherwise SQLite may scan a
 * joined table.
 */
type Range = { after: number; up_to: number; limit: number }
type Arg = <K extends keyof Range>(name: K) => Range[K]

const messagesBy = (db: Kysely<Tables>, arg: Arg, number: 'id' | 'changed') =>
  db
    .selectFrom('messages')
    .crossJoin('conversations')
    .select(`messages.${number} as number`)
    .select(messageColumns)
    .select(['conversations.low_id', 'conversations.high_id'])
    .where(`messages.${number}`, '>', arg('after'))
    .where(`messages.${number}`, '<=', arg('up_to'))
    .whereRef('conversations.id', '=', 'messages.conversation_id')
    .orderBy(`messages.${number}`)
    .limit(arg('limit'))

export const newMessages = query<Range>()((db, arg) => messagesBy(db, arg, 'id'))

/** Messages by their last edit or deletion. */
export const changedMessages = query<Range>()((db, arg) => messagesBy(db, arg, 'changed'))

/** Membership periods by the last change of their marks. SQLite uses the partial index only if the 0 is a literal. */
export const receipts = query<Range>()((db, arg) =>
  db
    .selectFrom('members')
    .crossJoin('users')
    .select(['members.receipt_number as number', 'members.conversation_id', 'users.username'])
    .select(['members.delivered_up_to', 'members.read_up_to'])
    .where('members.receipt_number', '>', sql.lit(0))
    .where('members.receipt_number', '>', arg('after'))
    .where('members.receipt_number', '<=', arg('up_to'))
    .whereRef('users.id', '=', 'members.user_id')
    .orderBy('members.receipt_number')
    .limit(arg('limit')),
)

const conversationsBy = (db: Kysely<Tables>, arg: Arg, number: 'created' | 'changed') =>
  db
    .selectFrom('conversations')
    .select(`${number} as number`)
    .select(['id', 'kind', 'low_id', 'high_id', 'title', 'member_count', 'key', 'metadata'])
    .where(number, '>', arg('after'))
    .where(number, '<=', arg('up_to'))
    .orderBy(number)
    .limit(arg('limit'))

export const newConversations = query<Range>()((db, arg) => conversationsBy(db, arg, 'created'))

/** Conversations by their last change, if there was one since the creation. */
export const changedConversations = query<Range>()((db, arg) =>
  conversationsBy(db, arg, 'changed').whereRef('changed', '<>', 'created'),
)

/**
 * Membership periods by their start. All first members of a group join with one number. Their rows are not split, so there may be
 * more than `limit`, by at most one group. PostgreSQL does not know how many, and might scan all users for a join.
 */
export const joined = query<Range>()((db, arg) =>
  db
    .selectFrom('members')
    .select(['from_number as number', 'conversation_id', 'role'])
    .select(({ selectFrom }) =>
      selectFrom('users')
        .select('users.username')
        .whereRef('users.id', '=', 'members.user_id')
        .$asScalar()
        .$notNull()
        .as('username'),
    )
    .where('from_number', '>', arg('after'))
    .where('from_number', '<=', ({ fn, selectFrom, val }) =>
      fn.coalesce(
        selectFrom('members as last')
          .select('last.from_number')
          .where('last.from_number', '>', arg('after'))
          .where('last.from_number', '<=', arg('up_to'))
          .orderBy('last.from_number')
          .limit(1)
          .offset(sql<number>`${arg('limit')} - 1`)
          .$asScalar(),
        val(arg('up_to')),
      ),
    )
    .orderBy('from_number')
    .orderBy('user_id'),
)

/** Membership periods by their end. SQLite uses the partial index only if OPEN is a literal. */
export const left = query<Range>()((db, arg) =>
  db
    .selectFrom('members')
    .crossJoin('users')
    .select(['members.to_number as number', 'members.conversation_id', 'users.username', 'members.role'])
    .where('members.to_number', '<', sql.lit(OPEN))
    .where('members.to_number', '>', arg('after'))
    .where('members.to_number', '<=', arg('up_to'))
    .whereRef('users.id', '=', 'members.user_id')
    .orderBy('members.to_number')
    .limit(arg('limit')),
)

const usersBy = (db: Kysely<Tables>, arg: Arg, number: 'created_number' | 'changed') =>
  db
    .selectFrom('users')
    .select(`${number} as number`)
    .select(['id', 'username', 'display_name', 'avatar_url', 'metadata', 'removed_at'])
    .where(number, '>', arg('after'))
    .where(number, '<=', arg('up_to'))
    .orderBy(number)
    .limit(arg('limit'))

export const newUsers = query<Range>()((db, arg) => usersBy(db, arg, 'created_number'))

/** Accounts by their removal or the last change of their profile, if there was one since the creation. */
export const changedUsers = query<Range>()((db, arg) =>
  usersBy(db, arg, 'changed').whereRef('changed', '<>', 'created_number'),
)

export const newReports = query<Range>()((db, arg) =>
  namedReports(db)
    .select('reports.id as number')
    .where('reports.id', '>', arg('after'))
    .where('reports.id', '<=', arg('up_to'))
    .orderBy('reports.id')
    .limit(arg('limit')),
)
