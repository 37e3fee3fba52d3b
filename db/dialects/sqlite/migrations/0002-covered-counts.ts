import type { Kysely } from 'kysely'

/** Unread messages are counted in the index alone: rows of one conversation lie far apart in a big table. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema.dropIndex('messages_history').execute()
  await schema
    .createIndex('messages_history')
    .on('messages')
    .columns(['conversation_id', 'id', 'sender_id', 'deleted_at'])
    .execute()
}
