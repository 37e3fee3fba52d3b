import { type Kysely, sql } from 'kysely'
import { listedIds, listedPeriods } from '../lists.ts'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'
import { blockBetweenUsers } from './blocks.ts'
import { periodsAfter } from './members.ts'
import { messageColumns } from './messages.ts'
import { untilOf, wasInAt } from './periods.ts'

/**
 * The events of a user are read from the current rows, for some membership periods at a time. `periods` is the packed list
 * that `listedPeriods` takes, each period cut to the numbers that the read covers. Each period is a range of an index.
 * `cross join` fixes the join order: otherwise SQLite may scan the messages of all users.
 */
type Window = { periods: string; limit: number }

/** A page of a user's membership periods, each with the current state of its conversation. */
type Periods = { user_id: number; conversation_id: number; from_number: number; limit: number }

const periodColumns = [
  'conversation_id',
  'from_number',
  'to_number',
  'role',
  'title_at_end',
  'count_at_end',
] as const

const pageOf = (db: Kysely<Tables>, arg: <K extends keyof Periods>(name: K) => Periods[K]) =>
  periodsAfter(db, arg).select(periodColumns)

const withConversations = (db: Kysely<Tables>, periods: ReturnType<typeof pageOf>, user_id: number) =>
  db
    .selectFrom(periods.as('mine'))
    .crossJoin('conversations')
    .selectAll('mine')
    .select(['conversations.kind', 'conversations.low_id', 'conversations.high_id', 'conversations.title'])
    .select([
      'conversations.member_count',
      'conversations.changed',
      'conversations.key',
      'conversations.metadata',
    ])
    .select((eb) => untilOf(db, user_id, eb.ref('mine.conversation_id')).as('until'))
    .whereRef('conversations.id', '=', 'mine.conversation_id')
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number')

export const periodsOf = query<Periods>()((db, arg) => withConversations(db, pageOf(db, arg), arg('user_id')))

/** The same for these conversations only. */
export const periodsIn = query<Periods & { ids: string }>()((db, arg) =>
  withConversations(
    db,
    pageOf(db, arg).where('conversation_id', 'in', (eb) =>
      eb.selectFrom(listedIds(arg('ids'))).select('listed.id'),
    ),
    arg('user_id'),
  ),
)

const withConversation = [
  ...messageColumns,
  'conversations.kind',
  'conversations.low_id',
  'conversations.high_id',
] as const

/** Hides from a former member what was changed after the end of membership. For members it does not read `changed`. */
export const newMessages = query<Window>()((db, arg) =>
  db
    .selectFrom((inner) =>
      inner
        .selectFrom(listedPeriods(arg('periods')))
        .crossJoin('messages as m')
        .select('m.id as number')
        .whereRef('m.conversation_id', '=', 'listed.conversation_id')
        .whereRef('m.id', '>=', 'listed.from_number')
        .whereRef('m.id', '<=', 'listed.to_number')
        .where((eb) =>
          eb.or([
            eb('listed.until', '=', sql.lit(OPEN)),
            eb('m.changed', 'is', null),
            eb('m.changed', '<=', eb.ref('listed.until')),
          ]),
        )
        .orderBy('m.id')
        .limit(arg('limit'))
        .as('found'),
    )
    .crossJoin('messages')
    .crossJoin('conversations')
    .select('found.number')
    .select(withConversation)
    .whereRef('messages.id', '=', 'found.number')
    .whereRef('conversations.id', '=', 'messages.conversation_id')
    .orderBy('found.number'),
)

/** Messages of which both the id and the number of the last change lie in a membership period of the user. */
export const changedMessages = query<Window & { user_id: number }>()((db, arg) =>
  db
    .selectFrom(listedPeriods(arg('periods')))
    .crossJoin('messages')
    .crossJoin('conversations')
    .select('messages.changed as number')
    .select(withConversation)
    .whereRef('messages.conversation_id', '=', 'listed.conversation_id')
    .whereRef('messages.changed', '>=', 'listed.from_number')
    .whereRef('messages.changed', '<=', 'listed.to_number')
    .where((eb) => wasInAt(db, arg('user_id'), eb.ref('messages.conversation_id'), eb.ref('messages.id')))
    .whereRef('conversations.id', '=', 'messages.conversation_id')
    .orderBy('messages.changed')
    .limit(arg('limit')),
)

/** Only the user's own marks in groups of more than `max_group` members and for what changed during a block. */
export const receipts = query<Window & { user_id: number; max_group: number }>()((db, arg) =>
  db
    .selectFrom(listedPeriods(arg('periods')))
    .crossJoin('members as other')
    .crossJoin('conversations')
    .crossJoin('users')
    .select([
      'other.receipt_number as number',
      'other.conversation_id',
      'users.username',
      'other.delivered_up_to',
      'other.read_up_to',
    ])
    .whereRef('other.conversation_id', '=', 'listed.conversation_id')
    .whereRef('other.receipt_number', '>=', 'listed.from_number')
    .whereRef('other.receipt_number', '<=', 'listed.to_number')
    .whereRef('conversations.id', '=', 'other.conversation_id')
    .whereRef('users.id', '=', 'other.user_id')
    .where(({ eb, or, and, not, exists, ref }) =>
      or([
        eb('other.user_id', '=', arg('user_id')),
        and([
          eb('conversations.kind', '=', 'group'),
          eb('conversations.member_count', '<=', arg('max_group')),
        ]),
        and([
          eb('conversations.kind', '=', 'direct'),
          not(
            exists(
              // What was published before the block began may have been missed, and is not published again.
              blockBetweenUsers(db, ref('conversations.low_id'), ref('conversations.high_id')).where(
                'blocks.number',
                '<',
                ref('other.receipt_number'),
              ),
            ),
          ),
        ]),
      ]),
    )
    .orderBy('other.receipt_number')
    .limit(arg('limit')),
)
