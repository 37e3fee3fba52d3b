import type { NewBatch, StepDelivery, StoredWebhook } from '../deliveries.ts'
import * as webhooks from '../queries/webhooks.ts'
import type { Transaction } from '../transaction.ts'

/**
 * One step of the delivery of a webhook: takes or extends the lease, stores the outcome of the batch in flight, and stores the next
 * batch before it is sent.
 * @returns the row after it; undefined if the webhook was changed since `version` or another server delivers: nothing is changed then
 */
export const stepDelivery = (tx: Transaction, step: StepDelivery): StoredWebhook | undefined => {
  const row = tx.get(webhooks.webhookByName, { name: step.name })
  if (!row || row.version !== step.version || row.disabled === 1) return undefined
  /* c8 ignore next -- a race: another server takes the lease between a read and this step */
  if (!step.alone && row.lease !== step.lease && row.lease_until > tx.now) return undefined
  const { delivery, batch } = applyOutcome(tx, row, step)
  const next: webhooks.Delivery = {
    ...delivery,
    ...(step.batch && startBatch(tx, step.batch)),
    push_scanned: step.push_scanned,
    scanned: step.outcome?.type === 'moved' ? delivery.scanned : step.scanned,
    version: row.version + 1,
    lease: step.lease,
    lease_until: tx.now + step.lease_ms,
  }
  storeDelivery(tx, step.name, next, step.batch ? step.batch.body : batch)
  for (const push of step.pushes ?? []) tx.run(webhooks.insertPush, { webhook: step.name, ...push })
  return { ...row, ...next }
}

/** A new state, and the bytes of the batch in flight; undefined: unchanged. */
type Next = { delivery: webhooks.Delivery; batch?: string | null | undefined }

const noBatch = {
  batch_id: null,
  batch_end: null,
  batch_cursor: null,
  batch_at: null,
  attempts: 0,
  next_at: 0,
} as const

const applyOutcome = (tx: Transaction, row: StoredWebhook, { outcome }: StepDelivery): Next => {
  switch (outcome?.type) {
    case 'delivered':
      return {
        delivery: {
          ...row,
          ...noBatch,
          position: row.batch_end as number,
          cursor: row.batch_cursor as string,
          last_error: null,
          last_error_at: null,
          delivered_at: tx.now,
        },
        batch: null,
      }
    case 'failed':
      return {
        delivery: {
          ...row,
          attempts: row.attempts + 1,
          next_at: tx.now + (outcome.retry_ms ?? 0),
          disabled: outcome.retry_ms === null ? 1 : 0,
          last_error: outcome.error,
          last_error_at: tx.now,
        },
      }
    case 'moved':
      return movedDelivery(tx, row, outcome)
    default:
      return { delivery: row }
  }
}

const startBatch = (tx: Transaction, { id, end, cursor }: NewBatch) => ({
  ...noBatch,
  batch_id: id,
  batch_end: end,
  batch_cursor: cursor,
  batch_at: tx.now,
})

/**
 * @returns the state that continues after `position`. Pushes in flight have no other place in the stream: they stay, under the new
 *   cursor and, as their bytes change, a new id.
 */
export const movedDelivery = (
  tx: Transaction,
  row: StoredWebhook,
  { position, cursor, batch_id }: { position: number; cursor: string; batch_id: string },
): Next => {
  const moved = { ...row, position, cursor, scanned: position }
  if (row.batch_end !== row.position) return { delivery: { ...moved, ...noBatch }, batch: null }
  const { batch } = tx.get(webhooks.batchOf, { name: row.name }) as { batch: string }
  return {
    delivery: { ...moved, ...startBatch(tx, { id: batch_id, end: position, cursor, body: '' }) },
    batch: JSON.stringify({ ...JSON.parse(batch), previous: cursor, cursor }),
  }
}

/** @param batch the bytes of the batch in flight; undefined: unchanged */
export const storeDelivery = (
  tx: Transaction,
  name: string,
  delivery: webhooks.Delivery,
  batch?: string | null,
) => {
  if (batch === undefined) tx.run(webhooks.setDelivery, { ...delivery, name })
  else tx.run(webhooks.setDeliveryAndBatch, { ...delivery, name, batch })
}
