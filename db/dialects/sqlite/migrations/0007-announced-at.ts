import { type Kysely, sql } from 'kysely'

/** Stores when the marks of a member were last published, so that any process can publish those that wait. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .alterTable('members')
    .addColumn('announced_at', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema.dropIndex('members_due').execute()
  await schema
    .createIndex('members_due')
    .on('members')
    .columns(['announced_at', 'user_id', 'conversation_id'])
    .where(sql.ref('receipt_due'), '=', sql.lit(1))
    .execute()
}
