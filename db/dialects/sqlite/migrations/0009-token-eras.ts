import { type Kysely, sql } from 'kysely'

/** Ends the tokens of all accounts with one row. Before, it wrote the row of each account. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .createTable('token_eras')
    .addColumn('number', 'integer', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('began', 'integer', (c) => c.notNull())
    .modifyEnd(sql`strict`)
    .execute()
}
