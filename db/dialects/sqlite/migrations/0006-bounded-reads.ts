import { type Kysely, sql } from 'kysely'

/** Reads skip the rows that they do not return: removed accounts and the blocks of others. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .createIndex('users_present')
    .on('users')
    .column('username_key')
    .where(sql.ref('removed_at'), 'is', null)
    .execute()
  await schema
    .createIndex('blocks_latest')
    .on('blocks')
    .columns(['blocker_id', 'created_at', 'blocked_id'])
    .execute()
}
