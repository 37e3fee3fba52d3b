import { type Kysely, sql } from 'kysely'
import { OPEN } from '../../../tables.ts'

/** Marks removed accounts that are still members of groups. Adds an index of current members without former ones. */
export const up = async (db: Kysely<never>) => {
  const { schema } = db
  await schema
    .alterTable('users')
    .addColumn('leaving', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema
    .createIndex('users_leaving')
    .on('users')
    .column('leaving')
    .where(sql.ref('leaving'), '=', sql.lit(1))
    .execute()
  await schema
    .createIndex('members_open')
    .on('members')
    .columns(['conversation_id', 'from_number', 'user_id'])
    .where(sql.ref('to_number'), '=', sql.lit(OPEN))
    .execute()
}
