import type { Kysely } from 'kysely'

/**
 * Stores since when a profile is as it is, so that an older token does not change it back. For a profile from before, and for a change
 * at a node of the version before, no time is stored: any token can undo it.
 */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .alterTable('users')
    .addColumn('profile_from', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
}
