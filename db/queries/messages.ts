import { listedIds } from '../lists.ts'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'
import { untilOf, wasInAt } from './periods.ts'

export const messageColumns = [
  'messages.id',
  'messages.conversation_id',
  'messages.sender_id',
  'messages.content',
  'messages.timestamp',
  'messages.client_id',
  'messages.reply_to',
  'messages.metadata',
  'messages.edited_at',
  'messages.deleted_at',
] as const

/** With the number of the last change, which decides whether a former member may read the message. */
const storedColumns = [...messageColumns, 'messages.changed'] as const

export const insertMessage = query<
  Omit<Tables['messages'], 'edited_at' | 'deleted_at' | 'changed' | 'original_hash'>
>(({ id, sender_id, client_id, conversation_id }) => [
  scopes.message(id),
  scopes.messageKey(sender_id, client_id),
  scopes.newestMessage(conversation_id),
])((db, arg) =>
  db
    .insertInto('messages')
    .values({
      id: arg('id'),
      conversation_id: arg('conversation_id'),
      sender_id: arg('sender_id'),
      content: arg('content'),
      timestamp: arg('timestamp'),
      client_id: arg('client_id'),
      reply_to: arg('reply_to'),
      metadata: arg('metadata'),
    } as never)
    // A duplicate writes nothing, which shows that it is one. A lookup before each insert would cost a search.
    .onConflict((conflict) =>
      conflict.columns(['client_id', 'sender_id']).where('client_id', 'is not', null).doNothing(),
    ),
)

export const messageByClientId = query<{ client_id: string | null; sender_id: number }>(
  ({ sender_id, client_id }) => [scopes.messageKey(sender_id, client_id)],
)((db, arg) =>
  db
    .selectFrom('messages')
    .select([...messageColumns, 'messages.original_hash'])
    .where('client_id', '=', arg('client_id'))
    .where('sender_id', '=', arg('sender_id')),
)

/**
 * A message that lies in one of the user's membership periods. A message that was changed after the end of the latest
 * period is hidden, so that a former member does not read later edits.
 */
export const visibleMessage = query<{ id: number; user_id: number }>(({ id, user_id }) => [
  scopes.message(id),
  scopes.memberships(user_id),
])((db, arg) =>
  db
    .selectFrom('messages')
    .select([...messageColumns, 'messages.original_hash'])
    .where('id', '=', arg('id'))
    .where((eb) => wasInAt(db, arg('user_id'), eb.ref('messages.conversation_id'), eb.ref('messages.id')))
    .where((eb) =>
      eb.or([
        eb('messages.changed', 'is', null),
        eb('messages.changed', '<=', untilOf(db, arg('user_id'), eb.ref('messages.conversation_id'))),
      ]),
    ),
)

export const messageById = query<{ id: number }>(({ id }) => [scopes.message(id)])((db, arg) =>
  db
    .selectFrom('messages')
    .select([...messageColumns, 'messages.original_hash'])
    .where('id', '=', arg('id')),
)

const written = ({
  id,
  sender_id,
  client_id,
}: {
  id: number
  sender_id: number
  client_id: string | null
}) => [scopes.message(id), scopes.messageKey(sender_id, client_id)]

export const editMessage = query<{
  id: number
  sender_id: number
  client_id: string | null
  content: string
  edited_at: number
  number: number
  original_hash: Uint8Array
}>(written)((db, arg) =>
  db
    .updateTable('messages')
    .set({
      content: arg('content'),
      edited_at: arg('edited_at'),
      changed: arg('number'),
      original_hash: arg('original_hash'),
    })
    .where('id', '=', arg('id')),
)

export const deleteMessage = query<{
  id: number
  sender_id: number
  client_id: string | null
  deleted_at: number
  number: number
  original_hash: Uint8Array
}>(written)((db, arg) =>
  db
    .updateTable('messages')
    .set({
      content: '',
      metadata: null,
      deleted_at: arg('deleted_at'),
      changed: arg('number'),
      original_hash: arg('original_hash'),
    })
    .where('id', '=', arg('id')),
)

export const newestMessage = query<{ conversation_id: number }>(({ conversation_id }) => [
  scopes.newestMessage(conversation_id),
])((db, arg) =>
  db
    .selectFrom('messages')
    .select(({ fn }) => fn.max('id').as('id'))
    .where('conversation_id', '=', arg('conversation_id')),
)

export const messagesByIds = query<{ ids: string }>()((db, arg) =>
  db
    .selectFrom(listedIds(arg('ids')))
    .crossJoin('messages')
    .select(storedColumns)
    .whereRef('messages.id', '=', 'listed.id'),
)

/** At most `limit` messages of a conversation with ids from `from` to `to`, both included. */
export type Range = { conversation_id: number; from: number; to: number; limit: number }

/** A range of the index, whose cost does not depend on the length of the history. */
const messagesIn = (order: 'asc' | 'desc') =>
  query<Range>()((db, arg) =>
    db
      .selectFrom('messages')
      .select(storedColumns)
      .where('conversation_id', '=', arg('conversation_id'))
      .where('id', '>=', arg('from'))
      .where('id', '<=', arg('to'))
      .orderBy('id', order)
      .limit(arg('limit')),
  )

/** The newest first. */
export const messagesDown = messagesIn('desc')

/** The oldest first. */
export const messagesUp = messagesIn('asc')

export type StoredRow = NonNullable<(typeof messagesDown)['row']>
