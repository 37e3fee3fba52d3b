import { type Kysely, sql } from 'kysely'

/** Stores the idempotency key of a group, so that a duplicate request finds the group. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .alterTable('conversations')
    .addColumn('creator_id', 'integer', (c) => c.references('users.id'))
    .execute()
  await schema.alterTable('conversations').addColumn('client_id', 'text').execute()
  await schema.alterTable('conversations').addColumn('request_hash', 'blob').execute()
  await schema
    .createIndex('conversations_once')
    .unique()
    .on('conversations')
    .columns(['client_id', 'creator_id'])
    .where(sql.ref('client_id'), 'is not', null)
    .execute()
}
