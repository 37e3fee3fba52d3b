import type { Kysely } from 'kysely'

/** Lets the unread count read the index only: the rows of a conversation lie far apart in a large table. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema.dropIndex('messages_history').execute()
  await schema
    .createIndex('messages_history')
    .on('messages')
    .columns(['conversation_id', 'id', 'sender_id', 'deleted_at'])
    .execute()
}
