import { randomUUID } from 'node:crypto'
import type { StepDelivery, StoredWebhook } from '../../db/deliveries.ts'
import type { Chat } from '../chat/context.ts'
import { feedPosition } from '../chat/event-feed.ts'
import { AppError } from '../errors.ts'
import { type Attempt, describeStatus } from './sending.ts'

/** What the answer to a batch means for the delivery. */
export type Outcome = NonNullable<StepDelivery['outcome']>

/** Milliseconds until the first retry, and at most. */
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 300_000

/** @returns the wait after a number of failures: doubled each time, and up to a tenth longer, so that webhooks do not retry together */
export const retryDelay = (failures: number) =>
  Math.round(Math.min(FIRST_RETRY_MS * 2 ** failures, LAST_RETRY_MS) * (1 + Math.random() / 10))

/** @returns what follows from an attempt to deliver the batch in flight */
export const outcomeOf = async (
  chat: Chat,
  row: StoredWebhook,
  { answer, error }: Attempt,
): Promise<Outcome> => {
  if (!answer) return failed(row, error)
  const { status, text } = answer
  if (status >= 200 && status < 300) return { type: 'delivered' }
  if (status === 410) return { ...failed(row, describeStatus(status)), retry_ms: null }
  if (status !== 409) return failed(row, describeStatus(status))
  const cursor = cursorIn(text)
  if (cursor === undefined) return failed(row, 'The receiver answered 409 without {"cursor": …}.')
  if (cursor === row.cursor)
    return failed(row, 'The receiver answered 409 with the cursor that the batch has as `previous`.')
  try {
    const position = feedPosition(chat, cursor, await chat.cursors.head())
    return { type: 'moved', position, cursor, batch_id: `msg_${randomUUID()}` }
  } catch (cause) {
    /* c8 ignore next -- only storage fails otherwise, and when is a race */
    if (!(cause instanceof AppError)) throw cause
    return failed(row, `The receiver answered 409. ${cause.message}`)
  }
}

const failed = ({ attempts }: StoredWebhook, error: string) =>
  ({ type: 'failed', error, retry_ms: retryDelay(attempts) }) as const

const cursorIn = (text: string): string | undefined => {
  try {
    const { cursor } = JSON.parse(text)
    return typeof cursor === 'string' ? cursor : undefined
  } catch {
    return undefined
  }
}
