import { type Kysely, sql } from 'kysely'

/** Lets the directory and the list of blocks read only the rows that they return. */
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
