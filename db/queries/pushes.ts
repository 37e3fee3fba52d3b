import { sql } from 'kysely'
import { query } from '../query.ts'
import { OPEN } from '../tables.ts'
import { blockBetweenUsers } from './blocks.ts'
import { type UnreadBounds, unreadIn } from './conversation-list.ts'

/** The next messages after an id. */
export const messageTimes = query<{ after: number; limit: number }>()((db, arg) =>
  db
    .selectFrom('messages')
    .select(['id', 'timestamp'])
    .where('id', '>', arg('after'))
    .orderBy('id')
    .limit(arg('limit')),
)

/**
 * Members with a message of another user that is neither delivered nor read, and whose id lies in (`after`, `up_to`]. Leaves out
 * members for whom the webhook has pushed in the conversation since they last read in it, and suspended users, who may not read.
 * `cross join` fixes the join order: the messages are a small range.
 */
export const unreadMembers = query<
  { webhook: string; after: number; up_to: number; limit: number; now: number } & UnreadBounds
>()((db, arg) =>
  db
    .selectFrom(
      db
        .selectFrom('messages')
        .crossJoin('conversations')
        .crossJoin('members')
        .leftJoin('pushes', (join) =>
          join
            .on('pushes.webhook', '=', arg('webhook'))
            .onRef('pushes.user_id', '=', 'members.user_id')
            .onRef('pushes.conversation_id', '=', 'members.conversation_id'),
        )
        .select(['members.user_id', 'members.conversation_id', 'members.from_number', 'members.to_number'])
        .select('members.read_up_to')
        .select(({ fn }) => fn.max('messages.id').as('newest_id'))
        .where('messages.id', '>', arg('after'))
        .where('messages.id', '<=', arg('up_to'))
        .where('messages.deleted_at', 'is', null)
        .whereRef('conversations.id', '=', 'messages.conversation_id')
        .whereRef('members.conversation_id', '=', 'messages.conversation_id')
        .where('members.to_number', '=', sql.lit(OPEN))
        .whereRef('members.from_number', '<=', 'messages.id')
        .whereRef('members.user_id', '<>', 'messages.sender_id')
        .whereRef('members.delivered_up_to', '<', 'messages.id')
        .whereRef('members.read_up_to', '<', 'messages.id')
        .where(({ eb, or }) =>
          or([
            eb('pushes.read_up_to', 'is', null),
            eb('pushes.read_up_to', '<', eb.ref('members.read_up_to')),
          ]),
        )
        .where(({ exists, not, selectFrom }) =>
          not(
            exists(
              selectFrom('users')
                .select('users.id')
                .whereRef('users.id', '=', 'members.user_id')
                .where('users.suspended_until', '>', arg('now')),
            ),
          ),
        )
        .where(({ eb, exists, not, or, ref }) =>
          or([
            eb('conversations.kind', '=', 'group'),
            not(exists(blockBetweenUsers(db, ref('conversations.low_id'), ref('conversations.high_id')))),
          ]),
        )
        .groupBy(['members.user_id', 'members.conversation_id', 'members.from_number'])
        .groupBy(['members.to_number', 'members.read_up_to'])
        .orderBy('members.conversation_id')
        .orderBy('members.user_id')
        .limit(arg('limit'))
        .as('mine'),
    )
    .crossJoin('users')
    .select(['mine.conversation_id', 'mine.read_up_to', 'mine.newest_id'])
    .select(['users.id', 'users.username', 'users.display_name', 'users.avatar_url', 'users.metadata'])
    .select(
      unreadIn(sql.ref('mine.user_id'), {
        max_unread: arg('max_unread'),
        max_looked: arg('max_looked'),
      }).as('unread_count'),
    )
    .whereRef('users.id', '=', 'mine.user_id')
    .orderBy('mine.conversation_id')
    .orderBy('mine.user_id'),
)
