import { type Expression, type ExpressionBuilder, sql } from 'kysely'
import { listedIds } from '../lists.ts'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'
import { type PeriodPosition, periodsAfter } from './members.ts'
import { shownColumns } from './users.ts'

type Period = { conversation_id: number; from_number: number; to_number: number }

/** The id of the newest message in a membership period. */
const newestIn = <T extends { mine: Period }>(eb: ExpressionBuilder<Tables & T, keyof T & 'mine'>) =>
  (eb as unknown as ExpressionBuilder<Tables & { mine: Period }, 'mine'>)
    .selectFrom('messages')
    .select('messages.id')
    .whereRef('messages.conversation_id', '=', 'mine.conversation_id')
    .whereRef('messages.id', '>=', 'mine.from_number')
    .whereRef('messages.id', '<=', 'mine.to_number')
    .orderBy('messages.id', 'desc')
    .limit(1)

/**
 * A page of a user's membership periods. `newest` orders the list of conversations. It is set for the latest period in
 * each conversation only: the id of its newest message or, without a message, the number at which it began.
 */
export const newestByPeriod = query<PeriodPosition & { user_id: number; limit: number }>()((db, arg) =>
  db
    .selectFrom(periodsAfter(db, arg).select(['conversation_id', 'from_number', 'to_number']).as('mine'))
    .select(['mine.conversation_id', 'mine.from_number'])
    .select((eb) =>
      eb
        .case()
        .when(
          eb.exists(
            eb
              .selectFrom('members as later')
              .select('later.user_id')
              .where('later.user_id', '=', arg('user_id'))
              .whereRef('later.conversation_id', '=', 'mine.conversation_id')
              .whereRef('later.from_number', '>', 'mine.from_number'),
          ),
        )
        .then(sql<number | null>`null`)
        .else(eb.fn.coalesce(newestIn(eb), eb.ref('mine.from_number')))
        .end()
        .as('newest'),
    )
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number'),
)

/** Bounds of the unread count: its maximum, and the number of messages after the read mark that it examines. */
export type UnreadBounds = { max_unread: number; max_looked: number }

/**
 * Counts the messages of others after the read mark of a period, among the newest `max_looked`. It reads the index only.
 * It reads the rows too for a former member, from whom later changes are hidden.
 */
export const unreadIn = (
  user_id: number | Expression<unknown>,
  { max_unread, max_looked }: UnreadBounds,
) => sql<number>`(
  select count(*) from (
    select 1 from (
      select id, sender_id, deleted_at from messages
      where conversation_id = mine.conversation_id
        and id > case when mine.read_up_to >= mine.from_number then mine.read_up_to else mine.from_number - 1 end
        and id <= mine.to_number
      order by id desc
      limit ${max_looked}
    ) as looked
    where sender_id <> ${user_id} and deleted_at is null
      and (mine.to_number = ${sql.lit(OPEN)} or not exists (
        select 1 from messages as later where later.id = looked.id and later.changed > mine.to_number
      ))
    limit ${max_unread}
  ) as unread
)`

/** Some conversations of a user, each with the user's latest membership period, its newest message and unread count. */
export const conversationsByIds = query<{ user_id: number; ids: string } & UnreadBounds>()((db, arg) =>
  db
    .selectFrom(listedIds(arg('ids')))
    .crossJoin('members as mine')
    .crossJoin('conversations')
    .select(['conversations.id', 'conversations.kind', 'conversations.title', 'conversations.member_count'])
    .select(['conversations.low_id', 'conversations.high_id', 'conversations.key', 'conversations.metadata'])
    .select(['mine.from_number', 'mine.to_number', 'mine.role', 'mine.delivered_up_to', 'mine.read_up_to'])
    .select(['mine.title_at_end', 'mine.count_at_end'])
    .select((eb) => newestIn(eb).as('newest_id'))
    .select(
      unreadIn(arg('user_id'), { max_unread: arg('max_unread'), max_looked: arg('max_looked') }).as(
        'unread_count',
      ),
    )
    .where('mine.user_id', '=', arg('user_id'))
    .whereRef('mine.conversation_id', '=', 'listed.id')
    .where('mine.from_number', '=', ({ selectFrom }) =>
      selectFrom('members as period')
        .select(({ fn }) => fn.max('period.from_number').as('from_number'))
        .where('period.user_id', '=', arg('user_id'))
        .whereRef('period.conversation_id', '=', 'listed.id'),
    )
    .whereRef('conversations.id', '=', 'listed.id'),
)

/**
 * The peer in each of these direct conversations, with the peer's profile and marks. During a block, the marks are those of the moment
 * at which it began. The block of either direction stores the marks of both users.
 */
export const peersByIds = query<{ user_id: number; ids: string }>()((db, arg) =>
  db
    .selectFrom(listedIds(arg('ids')))
    .crossJoin('conversations')
    .crossJoin('members as peer')
    .crossJoin('users')
    .leftJoin('blocks as by_low', (join) =>
      join
        .onRef('by_low.blocker_id', '=', 'conversations.low_id')
        .onRef('by_low.blocked_id', '=', 'conversations.high_id'),
    )
    .leftJoin('blocks as by_high', (join) =>
      join
        .onRef('by_high.blocker_id', '=', 'conversations.high_id')
        .onRef('by_high.blocked_id', '=', 'conversations.low_id'),
    )
    .select(['conversations.id', 'peer.user_id', ...shownColumns])
    .select(({ fn, ref, eb }) => {
      const shown = (low: 'low_delivered' | 'low_read', high: 'high_delivered' | 'high_read', mark: Mark) =>
        eb
          .case()
          .whenRef('peer.user_id', '=', 'conversations.low_id')
          .then(fn.coalesce(`by_low.${low}`, `by_high.${low}`, ref(mark)))
          .else(fn.coalesce(`by_low.${high}`, `by_high.${high}`, ref(mark)))
          .end()
      return [
        shown('low_delivered', 'high_delivered', 'peer.delivered_up_to').as('peer_delivered_up_to'),
        shown('low_read', 'high_read', 'peer.read_up_to').as('peer_read_up_to'),
      ]
    })
    .whereRef('conversations.id', '=', 'listed.id')
    .where('conversations.kind', '=', 'direct')
    .whereRef('peer.conversation_id', '=', 'conversations.id')
    .whereRef('users.id', '=', 'peer.user_id')
    .where(({ eb, ref }) =>
      eb(
        'peer.user_id',
        '=',
        eb
          .case()
          .when('conversations.low_id', '=', arg('user_id'))
          .then(ref('conversations.high_id'))
          .else(ref('conversations.low_id'))
          .end(),
      ),
    ),
)

type Mark = 'peer.delivered_up_to' | 'peer.read_up_to'
