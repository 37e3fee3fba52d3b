import { AppError } from '../../src/errors.ts'
import * as webhooks from '../queries/webhooks.ts'
import { noWebhook } from '../refusals.ts'
import type { Transaction } from '../transaction.ts'
import { movedDelivery, storeDelivery } from './deliveries.ts'

/** Each webhook has a delivery of its own, and its row is read every second. */
const MAX_WEBHOOKS = 32

export type PutWebhook = {
  name: string
  url: string
  /** JSON. */
  types: string | null
  description: string | null
  push_after: number | null
  /** For a new webhook: its secret, and the cursor at which it begins, with its number. */
  secret: string
  cursor: string
  position: number
}

/**
 * Creates a webhook, or changes what the app configures of it.
 * @returns whether it is new
 * @throws AppError `TOO_MANY_WEBHOOKS`
 */
export const putWebhook = (tx: Transaction, input: PutWebhook): { isNew: boolean } => {
  const { name, url, types, description, push_after, secret, cursor, position } = input
  const known = tx.get(webhooks.webhookByName, { name })
  const settings = { name, url, types, description, push_after }
  if (known) {
    // Messages from before the app asked for pushes are not pushed.
    const push_scanned = known.push_after === null ? tx.last : known.push_scanned
    tx.run(webhooks.setWebhook, { ...settings, push_scanned, version: known.version + 1 })
    return { isNew: false }
  }
  if (tx.all(webhooks.webhookNames, { name }).length >= MAX_WEBHOOKS) {
    throw new AppError(
      'TOO_MANY_WEBHOOKS',
      `There are ${MAX_WEBHOOKS} webhooks, which is the maximum. Delete one first.`,
    )
  }
  tx.run(webhooks.insertWebhook, {
    ...settings,
    secret,
    now: tx.now,
    cursor,
    position,
    push_scanned: tx.last,
  })
  return { isNew: true }
}

/** @throws AppError `WEBHOOK_NOT_FOUND` */
export const deleteWebhook = (tx: Transaction, { name }: { name: string }): void => {
  existing(tx, name)
  tx.run(webhooks.deleteWebhook, { name })
  tx.run(webhooks.deletePushes, { name })
}

/**
 * Gives a webhook a new secret. The old one signs too for `keep_ms` milliseconds.
 * @throws AppError `WEBHOOK_NOT_FOUND`
 */
export const rotateWebhook = (
  tx: Transaction,
  { name, secret, keep_ms }: { name: string; secret: string; keep_ms: number },
): { previous_until: number } => {
  const { secret: previous } = existing(tx, name)
  const until = tx.now + keep_ms
  tx.run(webhooks.setSecrets, { name, secret, previous, until })
  return { previous_until: until }
}

export type MoveWebhook = { name: string; position: number; cursor: string; batch_id: string }

/**
 * Continues after `position`. Drops the batch in flight; pushes in flight are sent under the new cursor and the id `batch_id`.
 * @throws AppError `WEBHOOK_NOT_FOUND`
 */
export const moveWebhook = (tx: Transaction, { name, ...to }: MoveWebhook): void => {
  const row = existing(tx, name)
  const { delivery, batch } = movedDelivery(tx, row, to)
  storeDelivery(tx, name, { ...delivery, version: row.version + 1, next_at: 0 }, batch)
}

const existing = (tx: Transaction, name: string) => {
  const row = tx.get(webhooks.webhookByName, { name })
  if (!row) throw noWebhook()
  return row
}
