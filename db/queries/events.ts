import { query } from '../query.ts'
import { messageColumns } from './messages.ts'

/**
 * What happened to a user with a number in (after, up_to], read from the rows as they are now. Each is a range of an index
 * per conversation of the user's; `cross join` keeps SQLite from scanning the messages of everybody instead.
 */
type Window = { user_id: number; after: number; up_to: number; limit: number }

const withConversation = [
  ...messageColumns,
  'conversations.kind',
  'conversations.low_id',
  'conversations.high_id',
] as const

export const newMessages = query<Window>()((db, arg) =>
  db
    .selectFrom((inner) =>
      inner
        .selectFrom('members')
        .crossJoin('messages as m')
        .select('m.id as number')
        .where('members.user_id', '=', arg('user_id'))
        .where('members.to_number', '>', arg('after'))
        .whereRef('m.conversation_id', '=', 'members.conversation_id')
        .where('m.id', '>', arg('after'))
        .where('m.id', '<=', arg('up_to'))
        .whereRef('m.id', '>=', 'members.from_number')
        .whereRef('m.id', '<=', 'members.to_number')
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

/** The message and the number of its change lie each in one of the user's stays. */
export const changedMessages = query<Window>()((db, arg) =>
  db
    .selectFrom('members')
    .crossJoin('messages')
    .crossJoin('conversations')
    .select('messages.changed as number')
    .select(withConversation)
    .where('members.user_id', '=', arg('user_id'))
    .where('members.to_number', '>', arg('after'))
    .whereRef('messages.conversation_id', '=', 'members.conversation_id')
    .where('messages.changed', '>', arg('after'))
    .where('messages.changed', '<=', arg('up_to'))
    .whereRef('messages.changed', '>=', 'members.from_number')
    .whereRef('messages.changed', '<=', 'members.to_number')
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('members as seen')
          .select('seen.user_id')
          .where('seen.user_id', '=', arg('user_id'))
          .whereRef('seen.conversation_id', '=', 'messages.conversation_id')
          .whereRef('seen.from_number', '<=', 'messages.id')
          .whereRef('seen.to_number', '>=', 'messages.id'),
      ),
    )
    .whereRef('conversations.id', '=', 'messages.conversation_id')
    .orderBy('messages.changed')
    .limit(arg('limit')),
)

/** In groups past `max_group` members, and what moved across a block, one's own marks only. */
export const receipts = query<Window & { max_group: number }>()((db, arg) =>
  db
    .selectFrom('members')
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
    .where('members.user_id', '=', arg('user_id'))
    .where('members.to_number', '>', arg('after'))
    .whereRef('other.conversation_id', '=', 'members.conversation_id')
    .where('other.receipt_number', '>', arg('after'))
    .where('other.receipt_number', '<=', arg('up_to'))
    .whereRef('other.receipt_number', '>=', 'members.from_number')
    .whereRef('other.receipt_number', '<=', 'members.to_number')
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

/** Stays whose conversation changed, or that began or ended: up to three events each. */
export const conversationChanges = query<Omit<Window, 'limit'>>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select([
      'members.conversation_id',
      'members.from_number',
      'members.to_number',
      'members.title_at_end',
      'members.count_at_end',
      'conversations.kind',
      'conversations.low_id',
      'conversations.high_id',
      'conversations.title',
      'conversations.member_count',
      'conversations.changed',
    ])
    .where('members.user_id', '=', arg('user_id'))
    .where('members.to_number', '>', arg('after'))
    .where(({ eb, or }) => {
      const inWindow = (column: 'members.from_number' | 'members.to_number' | 'conversations.changed') =>
        eb(column, '>', arg('after')).and(column, '<=', arg('up_to'))
      return or([
        inWindow('members.from_number'),
        inWindow('members.to_number'),
        inWindow('conversations.changed'),
      ])
    }),
)
