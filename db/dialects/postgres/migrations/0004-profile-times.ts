import type { Kysely } from 'kysely'

/**
 * Stores since when a profile is as it is, so that an older token does not change it back. A node of the version before does not:
 * while one runs, a token that is older than a change at that node can undo the change once.
 */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .alterTable('users')
    .addColumn('profile_from', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
}
