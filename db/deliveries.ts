import type * as webhooks from './queries/webhooks.ts'

/** The row of a webhook, without the bytes of its batch. */
export type StoredWebhook = (typeof webhooks.webhookByName)['row'] & object

/** A batch to send: its id, the number and the cursor after it, and its bytes. */
export type NewBatch = { id: string; end: number; cursor: string; body: string }

/** What a user had read in a conversation when it was pushed. */
export type NewPush = { user_id: number; conversation_id: number; read_up_to: number }

export type StepDelivery = {
  name: string
  /** The version of the row that the step is based on. */
  version: number
  /** The name of the server. It delivers for the next `lease_ms` milliseconds; 0: another server may continue at once. */
  lease: string
  lease_ms: number
  /** Whether no other server can have the database open. */
  alone: boolean
  /** How the batch in flight was answered; absent: there is none, or not yet. `retry_ms` null: the webhook is disabled. */
  outcome?:
    | { type: 'delivered' }
    | { type: 'failed'; error: string; retry_ms: number | null }
    /** The receiver has another cursor. */
    | { type: 'moved'; position: number; cursor: string; batch_id: string }
  /** The next batch. Only if there is no batch in flight after the outcome. */
  batch?: NewBatch
  pushes?: NewPush[]
  scanned: number
  push_scanned: number
}
