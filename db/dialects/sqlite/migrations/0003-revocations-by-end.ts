import type { Kysely } from 'kysely'

/** Lets each logout find expired revocations by their end, without a scan of the others. */
export const up = async ({ schema }: Kysely<never>) => {
  await schema.createIndex('revoked_tokens_end').on('revoked_tokens').column('expires_at').execute()
}
