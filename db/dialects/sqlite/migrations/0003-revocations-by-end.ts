import type { Kysely } from 'kysely'

/** Each logout forgets the revocations that are over: found by their end, and not among all that still stand. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema.createIndex('revoked_tokens_end').on('revoked_tokens').column('expires_at').execute()
}
