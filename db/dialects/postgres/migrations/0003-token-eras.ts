import type { Kysely } from 'kysely'

/**
 * Ends the tokens of all accounts with one row. Before, it wrote the row of each account. A node of the version before does not read
 * these rows: while one runs, it accepts tokens that another node ended in this way.
 */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .createTable('token_eras')
    .addColumn('number', 'bigint', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('began', 'bigint', (c) => c.notNull())
    .execute()
}
