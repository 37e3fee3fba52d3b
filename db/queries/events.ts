import { type Kysely, sql } from 'kysely'
import { listedIds, listedPeriods } from '../lists.ts'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'
import { untilOf, wasInAt } from './members.ts'
import { messageColumns } from './messages.ts'

/**
 * What happened to a user is read a few membership periods at a time, from the rows as they are now. `periods`: as
 * `listedPeriods` takes them, each cut to the numbers that the read covers. Each is a range of an index; `cross join` keeps
 * SQLite from scanning the messages of everybody instead.
 */
type Window = { periods: string; limit: number }

/** Some of a user's membership periods behind one of them, by conversation, with what the conversation is now. */
type Periods = { user_id: number; conversation_id: number; from_number: number; limit: number }

const periodsBehind = (db: Kysely<Tables>, arg: <K extends keyof Periods>(name: K) => Periods[K]) =>
  db
    .selectFrom('members')
    .select(['conversation_id', 'from_number', 'to_number', 'title_at_end', 'count_at_end'])
    .where('user_id', '=', arg('user_id'))
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple('conversation_id', 'from_number'), '>', tuple(arg('conversation_id'), arg('from_number'))),
    )
    .orderBy('conversation_id')
    .orderBy('from_number')
    .limit(arg('limit'))

const withRooms = (db: Kysely<Tables>, periods: ReturnType<typeof periodsBehind>, user_id: number) =>
  db
    .selectFrom(periods.as('mine'))
    .crossJoin('conversations')
    .selectAll('mine')
    .select(['conversations.kind', 'conversations.low_id', 'conversations.high_id', 'conversations.title'])
    .select(['conversations.member_count', 'conversations.changed'])
    .select((eb) => untilOf(db, user_id, eb.ref('mine.conversation_id')).as('until'))
    .whereRef('conversations.id', '=', 'mine.conversation_id')
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number')

export const periodsOf = query<Periods>()((db, arg) => withRooms(db, periodsBehind(db, arg), arg('user_id')))

/** The same, in these conversations only. */
export const periodsIn = query<Periods & { ids: string }>()((db, arg) =>
  withRooms(
    db,
    periodsBehind(db, arg).where('conversation_id', 'in', (eb) =>
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

/** To one who has left, a message that was changed later is hidden; members are spared the look at its row. */
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

/** The message and the number of its change lie each in one of the user's periods. */
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

/** In groups past `max_group` members, and what moved across a block, one's own marks only. */
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
    .where(({ eb, or, and, not, exists, selectFrom }) =>
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
              selectFrom('blocks')
                .select('blocks.number')
                // What was announced before the block began may have been missed, and is not announced again.
                .whereRef('blocks.number', '<', 'other.receipt_number')
                .where((block) =>
                  block.or([
                    block.and([
                      block('blocks.blocker_id', '=', block.ref('conversations.low_id')),
                      block('blocks.blocked_id', '=', block.ref('conversations.high_id')),
                    ]),
                    block.and([
                      block('blocks.blocker_id', '=', block.ref('conversations.high_id')),
                      block('blocks.blocked_id', '=', block.ref('conversations.low_id')),
                    ]),
                  ]),
                ),
            ),
          ),
        ]),
      ]),
    )
    .orderBy('other.receipt_number')
    .limit(arg('limit')),
)
