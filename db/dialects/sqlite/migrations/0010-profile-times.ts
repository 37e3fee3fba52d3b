import type { Kysely } from 'kysely'

/** Stores since when a profile is as it is, so that an older token does not change it back. No time is known of profiles from before. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema
    .alterTable('users')
    .addColumn('profile_from', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}
