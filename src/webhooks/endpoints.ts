import { randomUUID } from 'node:crypto'
import * as queries from '../../db/queries/webhooks.ts'
import { noWebhook } from '../../db/refusals.ts'
import {
  type MoveRequest,
  type PutWebhook,
  type RotatedSecret,
  type Webhook,
  type WebhookList,
  type WebhookRequest,
  type WebhookTest,
  webhookEvents,
} from '../../schemas/webhook.ts'
import type { Chat } from '../chat/context.ts'
import { readHead } from '../chat/cursors.ts'
import { feedPosition } from '../chat/event-feed.ts'
import { timestamp } from '../chat/messages.ts'
import { invalid } from '../errors.ts'
import { checkUrl } from './addresses.ts'
import { makeBatch } from './batches.ts'
import type { Webhooks } from './engine.ts'
import { lagOf } from './lag.ts'
import { newSecret } from './signature.ts'

/** The use cases of webhooks. They notify `webhooks` of each change, so that delivery follows it at once. */
type Tools = { chat: Chat; webhooks: Webhooks }

/** Seconds after which a message is pushed if `types` names `unread.pending` and nothing else is said. */
const PUSH_AFTER = 10

/** Milliseconds for which an old secret signs too. */
const KEEP_SECRET_MS = 24 * 3600 * 1000

/**
 * Creates a webhook or changes its settings. Enables it, and makes its next attempt at once.
 * @throws AppError `VALIDATION_FAILED` for a URL that is not allowed, `CURSOR_UNKNOWN`, `TOO_MANY_WEBHOOKS`
 */
export const putWebhook = async (
  { chat, webhooks }: Tools,
  name: string,
  { url, types, description, push_after_seconds, cursor }: WebhookRequest,
): Promise<PutWebhook> => {
  checkTypes(types)
  const checked = checkUrl(url, chat.config.WEBHOOK_ALLOW_PRIVATE === '1')
  const head = await chat.cursors.head()
  const secret = newSecret()
  const { isNew } = await chat.writer.append('putWebhook', {
    name,
    url: checked,
    types: types ? JSON.stringify(types) : null,
    description: description ?? null,
    push_after: push_after_seconds ?? (types?.includes('unread.pending') ? PUSH_AFTER : null),
    secret,
    position: cursor === undefined ? head.last : feedPosition(chat, cursor, head),
    cursor: cursor ?? chat.cursors.format(head.last, head),
  })
  webhooks.noticeChange(name)
  return { ...(await getWebhook(chat, name)), ...(isNew && { secret }) }
}

/** @throws AppError `VALIDATION_FAILED` */
const checkTypes = (types: readonly string[] = []) => {
  const index = types.findIndex((type) => !Object.hasOwn(webhookEvents, type))
  if (index !== -1) throw invalid(`/types/${index}`, 'must be the type of an event')
}

export const listWebhooks = async (chat: Chat): Promise<WebhookList> => ({
  webhooks: await chat.reader.snapshot(async (read) => {
    const rows = await read.all(queries.webhooks, {})
    const head = await readHead(read)
    return rows.map((row) => toWebhook(row, head))
  }),
})

/** @throws AppError `WEBHOOK_NOT_FOUND` */
export const getWebhook = (chat: Chat, name: string): Promise<Webhook> =>
  chat.reader.snapshot(async (read) => {
    const row = await read.get(queries.webhookState, { name })
    if (!row) throw noWebhook()
    return toWebhook(row, await readHead(read))
  })

/** @throws AppError `WEBHOOK_NOT_FOUND` */
export const deleteWebhook = async ({ chat, webhooks }: Tools, name: string): Promise<void> => {
  await chat.writer.append('deleteWebhook', { name })
  webhooks.noticeChange(name)
}

/** @throws AppError `WEBHOOK_NOT_FOUND` */
export const rotateSecret = async ({ chat }: Tools, name: string): Promise<RotatedSecret> => {
  const secret = newSecret()
  const { previous_until } = await chat.writer.append('rotateWebhook', {
    name,
    secret,
    keep_ms: KEEP_SECRET_MS,
  })
  return { secret, previous_valid_until: timestamp(previous_until) }
}

/** Continues after a cursor. @throws AppError `WEBHOOK_NOT_FOUND`, `CURSOR_UNKNOWN` */
export const moveWebhook = async (
  { chat, webhooks }: Tools,
  name: string,
  { cursor }: MoveRequest,
): Promise<Webhook> => {
  const position = feedPosition(chat, cursor, await chat.cursors.head())
  await chat.writer.append('moveWebhook', { name, position, cursor, batch_id: `msg_${randomUUID()}` })
  webhooks.noticeChange(name)
  return getWebhook(chat, name)
}

/** Sends a batch without events, and does not wait for those in flight. @throws AppError `WEBHOOK_NOT_FOUND`, `RATE_LIMITED` */
export const testWebhook = async ({ chat, webhooks }: Tools, name: string): Promise<WebhookTest> => {
  const row = await chat.reader.get(queries.webhookByName, { name })
  if (!row) throw noWebhook()
  const started = performance.now()
  const { cursor, position } = row
  const batch = makeBatch(position, { previous: cursor, cursor, events: [] })
  const { answer, error } = await webhooks.test(row, batch)
  return {
    ...(answer && { status: answer.status }),
    ...(error !== undefined && { error }),
    duration_ms: Math.round(performance.now() - started),
  }
}

type Row = NonNullable<(typeof queries.webhookState)['row']>

const toWebhook = (row: Row, head: number): Webhook => {
  const { name, url, cursor, attempts, last_error, last_error_at, delivered_at, next_at } = row
  const isDisabled = row.disabled === 1
  return {
    name,
    url,
    ...(row.types !== null && { types: JSON.parse(row.types) }),
    ...(row.description !== null && { description: row.description }),
    ...(row.push_after !== null && { push_after_seconds: row.push_after }),
    status: isDisabled ? 'disabled' : attempts > 0 ? 'failing' : 'active',
    created_at: timestamp(row.created_at),
    cursor,
    ...lagOf(row, head, Date.now()),
    attempts,
    ...(last_error !== null && { last_error }),
    ...(last_error_at !== null && { last_error_at: timestamp(last_error_at) }),
    ...(next_at > 0 && !isDisabled && { next_at: timestamp(next_at) }),
    ...(delivered_at !== null && { delivered_at: timestamp(delivered_at) }),
  }
}
