import type { webhooks } from '../../db/queries/webhooks.ts'

type Row = NonNullable<(typeof webhooks)['row']>

/**
 * @param head the number of the newest change
 * @returns the number of changes that a webhook was not sent or did not answer, and the age of the oldest message or batch of them
 */
export const lagOf = (
  { position, scanned, batch_end, batch_at, oldest_at }: Row,
  head: number,
  now: number,
): { lag: number; lag_seconds: number } => {
  const isInFlight = batch_end !== null && batch_end > position
  const oldest = oldest_at ?? (isInFlight ? batch_at : null) ?? now
  return {
    // A restored database may know fewer numbers than the receiver.
    lag: Math.max(head - (isInFlight ? position : scanned), 0),
    lag_seconds: Math.max(now - oldest, 0) / 1000,
  }
}
