import { type AliasedExpression, type Expression, expressionBuilder, type Kysely, sql } from 'kysely'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'

/** Where a walk through the membership periods of a user goes on: behind this period. */
export type StayPlace = { conversation_id: number; from_number: number }

export const insertMember = query<{
  user_id: number
  conversation_id: number
  number: number
  role: 'owner' | 'member'
  delivered_up_to: number
  read_up_to: number
}>()((db, arg) =>
  db.insertInto('members').values({
    user_id: arg('user_id'),
    conversation_id: arg('conversation_id'),
    from_number: arg('number'),
    role: arg('role'),
    delivered_up_to: arg('delivered_up_to'),
    read_up_to: arg('read_up_to'),
  } as never),
)

/** Current members of a conversation, the oldest first. OPEN is a literal: only so the partial index serves the query. */
export const membersOf = query<{ conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select([
      'members.user_id',
      'users.username',
      'members.role',
      'members.from_number',
      'members.delivered_up_to',
      'members.read_up_to',
    ])
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .orderBy('members.from_number')
    .orderBy('members.user_id'),
)

/** The latest stay of one in a conversation, with the number of its members. */
export const latestStay = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['members.to_number', 'conversations.member_count'])
    .where('members.user_id', '=', arg('user_id'))
    .where('members.conversation_id', '=', arg('conversation_id'))
    .orderBy('members.from_number', 'desc')
    .limit(1),
)

/** The last stay that began at a number or before it: the only one that may hold the number. */
export const stayAt = query<{ user_id: number; conversation_id: number; number: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .select('to_number')
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '<=', arg('number'))
    .orderBy('from_number', 'desc')
    .limit(1),
)

/** Those who are in a conversation now, except whom `user_id` blocks and who blocks `user_id`. */
export const unblockedMembers = query<{ conversation_id: number; user_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .select('members.user_id')
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('blocks')
            .select('blocks.number')
            .where('blocks.blocker_id', '=', arg('user_id'))
            .whereRef('blocks.blocked_id', '=', 'members.user_id'),
        ),
      ),
    )
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('blocks')
            .select('blocks.number')
            .whereRef('blocks.blocker_id', '=', 'members.user_id')
            .where('blocks.blocked_id', '=', arg('user_id')),
        ),
      ),
    ),
)

/** All of one's stays in a conversation, the newest first. */
export const staysIn = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .selectAll()
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .orderBy('from_number', 'desc'),
)

/** A conversation that the user is or was in. */
const roomOf = (db: Kysely<Tables>, user_id: number) =>
  db
    .selectFrom('conversations')
    .select(['conversations.id', 'conversations.kind', 'conversations.low_id', 'conversations.high_id'])
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('members')
          .select('members.user_id')
          .where('members.user_id', '=', user_id)
          .whereRef('members.conversation_id', '=', 'conversations.id'),
      ),
    )

export const myRoomById = query<{ user_id: number; id: number }>()((db, arg) =>
  roomOf(db, arg('user_id')).where('conversations.id', '=', arg('id')),
)

export const myRoomByPair = query<{ user_id: number; low_id: number; high_id: number }>()((db, arg) =>
  roomOf(db, arg('user_id'))
    .where('conversations.low_id', '=', arg('low_id'))
    .where('conversations.high_id', '=', arg('high_id')),
)

const latestEnd = (db: Kysely<Tables>, user_id: number, conversation: Expression<number>) =>
  db
    .selectFrom('members as latest')
    .select('latest.to_number')
    .where('latest.user_id', '=', user_id)
    .where('latest.conversation_id', '=', conversation)
    .orderBy('latest.from_number', 'desc')
    .limit(1)

/** The number at which a user's latest period in a conversation ends; for members `OPEN`. */
export const untilOf = (db: Kysely<Tables>, user_id: number, conversation: Expression<number>) =>
  latestEnd(db, user_id, conversation).$asScalar().$notNull()

/** Whether the user was in the conversation at this number. One row, however many periods there are. */
export const wasInAt = (
  db: Kysely<Tables>,
  user_id: number,
  conversation: Expression<number>,
  number: Expression<number>,
) =>
  expressionBuilder()(
    latestEnd(db, user_id, conversation).where('latest.from_number', '<=', number).$asScalar(),
    '>=',
    number,
  )

/** A walk through one's periods in a conversation: those with numbers from `start` on, or up to it; `limit` at most. */
type Walk = { user_id: number; conversation_id: number; start: number; limit: number }

type Mine = {
  conversation_id: number
  from_number: number
  to_number: number
  from_id: number
  to_id: number
}

/** Adds whether there are messages with ids from `from_id` to `to_id`. */
const withMessages = (db: Kysely<Tables>, mine: AliasedExpression<Mine, 'mine'>, user_id: number) =>
  db
    .selectFrom(mine)
    .select(['mine.from_number', 'mine.to_number', 'mine.from_id', 'mine.to_id'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('messages')
          .select('messages.id')
          .whereRef('messages.conversation_id', '=', 'mine.conversation_id')
          .whereRef('messages.id', '>=', 'mine.from_id')
          .whereRef('messages.id', '<=', 'mine.to_id'),
      )
        .$castTo<0 | 1>()
        .as('has_messages'),
    )
    .select((eb) => untilOf(db, user_id, eb.ref('mine.conversation_id')).as('until'))

/** The latest first, each cut to the ids up to `start`. */
export const periodsDown = query<Walk>()((db, arg) =>
  withMessages(
    db,
    db
      .selectFrom('members')
      .select(['conversation_id', 'from_number', 'to_number', 'from_number as from_id'])
      .select((eb) =>
        eb
          .case()
          .when('to_number', '<', arg('start'))
          .then(eb.ref('to_number'))
          .else(arg('start'))
          .end()
          .as('to_id'),
      )
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      .where('from_number', '<=', arg('start'))
      .orderBy('from_number', 'desc')
      .limit(arg('limit'))
      .as('mine'),
    arg('user_id'),
  ).orderBy('mine.from_number', 'desc'),
)

/** The earliest first, each cut to the ids from `start` on. */
export const periodsUp = query<Walk>()((db, arg) =>
  withMessages(
    db,
    db
      .selectFrom('members')
      .select(['conversation_id', 'from_number', 'to_number', 'to_number as to_id'])
      .select((eb) =>
        eb
          .case()
          .when('from_number', '>', arg('start'))
          .then(eb.ref('from_number'))
          .else(arg('start'))
          .end()
          .as('from_id'),
      )
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      // The period that holds `start`, if one does, is the last that begins before it.
      .where('from_number', '>=', ({ fn, selectFrom, val }) =>
        fn.coalesce(
          selectFrom('members as around')
            .select((eb) => eb.fn.max('around.from_number').as('from_number'))
            .where('around.user_id', '=', arg('user_id'))
            .where('around.conversation_id', '=', arg('conversation_id'))
            .where('around.from_number', '<=', arg('start')),
          val(0),
        ),
      )
      .where('to_number', '>=', arg('start'))
      .orderBy('from_number')
      .limit(arg('limit'))
      .as('mine'),
    arg('user_id'),
  ).orderBy('mine.from_number'),
)

export const setMarks = query<{
  user_id: number
  conversation_id: number
  from_number: number
  delivered_up_to: number
  read_up_to: number
  number: number
  due: 0 | 1
}>()((db, arg) =>
  db
    .updateTable('members')
    .set({
      delivered_up_to: arg('delivered_up_to'),
      read_up_to: arg('read_up_to'),
      receipt_number: arg('number'),
      receipt_due: arg('due'),
    })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

/** Stays whose marks changed and were not announced. The 1 stands in the text: an index of such rows only serves it. */
export const dueReceipts = query()((db) =>
  db.selectFrom('members').select(['user_id', 'conversation_id']).where('receipt_due', '=', sql.lit(1)),
)

export const endStay = query<{
  user_id: number
  conversation_id: number
  from_number: number
  number: number
  title: string
  count: number
}>()((db, arg) =>
  db
    .updateTable('members')
    .set({
      to_number: arg('number'),
      role: 'member',
      receipt_due: 0,
      title_at_end: arg('title'),
      count_at_end: arg('count'),
    })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

export const makeOwner = query<{ user_id: number; conversation_id: number; from_number: number }>()(
  (db, arg) =>
    db
      .updateTable('members')
      .set({ role: 'owner' })
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      .where('from_number', '=', arg('from_number')),
)

/** One's stays behind one of them, and whether each is in a group and goes on. */
export const staysBehind = query<{
  user_id: number
  conversation_id: number
  from_number: number
  limit: number
}>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['members.conversation_id', 'members.from_number'])
    .select(({ and, eb }) =>
      and([eb('members.to_number', '=', OPEN), eb('conversations.kind', '=', 'group')])
        .$castTo<0 | 1>()
        .as('is_open_group'),
    )
    .where('members.user_id', '=', arg('user_id'))
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('members.conversation_id', 'members.from_number'),
        '>',
        tuple(arg('conversation_id'), arg('from_number')),
      ),
    )
    .orderBy('members.conversation_id')
    .orderBy('members.from_number')
    .limit(arg('limit')),
)

/**
 * A user's stays behind one of them, and whether another is in the conversation with them now: a few rows at a time, since
 * nothing bounds how many one has.
 */
export const sharedStays = query<{
  user_id: number
  other_id: number
  conversation_id: number
  from_number: number
  limit: number
}>()((db, arg) =>
  db
    .selectFrom((inner) =>
      inner
        .selectFrom('members')
        .select(['conversation_id', 'from_number', 'to_number'])
        .where('user_id', '=', arg('user_id'))
        .where(({ eb, refTuple, tuple }) =>
          eb(
            refTuple('conversation_id', 'from_number'),
            '>',
            tuple(arg('conversation_id'), arg('from_number')),
          ),
        )
        .orderBy('conversation_id')
        .orderBy('from_number')
        .limit(arg('limit'))
        .as('mine'),
    )
    .select(['mine.conversation_id', 'mine.from_number'])
    .select(({ and, eb, exists, selectFrom }) =>
      and([
        eb('mine.to_number', '=', OPEN),
        exists(
          selectFrom('members as other')
            .select('other.user_id')
            .where('other.user_id', '=', arg('other_id'))
            .whereRef('other.conversation_id', '=', 'mine.conversation_id')
            .where('other.to_number', '=', OPEN),
        ),
      ])
        .$castTo<0 | 1>()
        .as('is_shared'),
    )
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number'),
)
