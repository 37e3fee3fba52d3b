import type { StepDelivery, StoredWebhook } from '../../db/deliveries.ts'
import * as queries from '../../db/queries/webhooks.ts'
import { type Outcome, outcomeOf } from './answers.ts'
import { type AttemptTools, createAttempts } from './attempts.ts'
import { type Next, nextBatch } from './batches.ts'
import { createMoves } from './moves.ts'
import { createPause } from './pause.ts'
import { EXCHANGE_MS } from './sending.ts'

export type Delivery = {
  /** A commit may have changes for the webhook. */
  noticeCommit(): void
  /** The row of the webhook may have been changed. If it was, an attempt that is under way ends. */
  noticeChange(): void
  /** The version of the row that this delivery knows; undefined: it reads the row next. */
  readonly version: number | undefined
  /** Resolves when it no longer delivers: the webhook is gone or disabled, or another server delivers, or this one stops. */
  readonly ended: Promise<void>
}

export type DeliveryTools = AttemptTools & {
  /** Milliseconds for which a step makes this server the one that delivers. */
  lease_ms: number
  /** Whether no other server can have the database open. */
  alone: boolean
  /** Receives each outcome of an attempt. */
  note: (name: string, outcome: Outcome) => void
}

/** Changes and milliseconds without an event for the webhook after which its place is stored. */
const SKIPPED = 1000
const SKIP_MS = 5000
/** Milliseconds to wait after an error of the database. */
const ERROR_MS = 1000

/**
 * Delivers the batches of one webhook, one after the other. Each step is one operation, which stores the outcome of a batch and the
 * next batch: a batch is stored before it is sent, and every attempt sends the stored bytes. A step that is based on an old row changes
 * nothing. The delivery then reads the row again.
 */
export const startDelivery = (tools: DeliveryTools, name: string): Delivery => {
  const { chat, lease_ms, alone, stop } = tools
  const pause = createPause(stop)
  const attempts = createAttempts(tools, name)
  const moves = createMoves()
  /** The row as this server knows it; undefined: to be read. `scanned` may be ahead of the stored row. */
  let row: StoredWebhook | undefined
  /** Whether the last batch had pushes. */
  let wasPush = false
  /** Whether another server delivers. */
  let isLost = false
  /** When and up to where the place was last stored. */
  let stored = { scanned: 0, at: 0 }

  const read = async () => {
    row = await chat.reader.get(queries.webhookByName, { name })
    if (row) stored = { scanned: row.scanned, at: performance.now() }
  }

  const step = async (
    from: StoredWebhook,
    more: Pick<StepDelivery, 'outcome' | 'batch' | 'pushes'>,
    place: Pick<StoredWebhook, 'scanned' | 'push_scanned'> = from,
  ) => {
    const { version } = from
    const { scanned, push_scanned } = place
    const lease = chat.server
    const input = { name, version, lease, lease_ms, alone, scanned, push_scanned, ...more }
    row = await chat.writer.append('stepDelivery', input)
    if (!row) {
      // Either the row was changed, or the lease of another server has not ended by the clock of the database.
      await read()
      isLost = row !== undefined && (row as StoredWebhook).version === version
      return false
    }
    stored = { scanned, at: performance.now() }
    if (more.batch) attempts.remember(more.batch)
    return true
  }

  /** Stores the next batch. If there is none, waits for a change. */
  const prepare = async (from: StoredWebhook) => {
    const next = await nextBatch(chat, from, from, !wasPush)
    if (next.batch) {
      wasPush = next.pushes !== undefined
      await step(from, { batch: next.batch, ...(next.pushes && { pushes: next.pushes }) }, next)
      return
    }
    row = { ...from, scanned: next.scanned, push_scanned: next.push_scanned }
    if (next.more) return
    const isAhead = row.scanned !== stored.scanned
    const storeIn = stored.at + SKIP_MS - performance.now()
    if (isAhead && (storeIn <= 0 || row.scanned - stored.scanned >= SKIPPED)) await step(row, {})
    else await pause.untilCommit(Math.min(next.pushIn ?? Infinity, isAhead ? storeIn : Infinity))
  }

  const deliver = async (from: StoredWebhook) => {
    const wait = from.next_at - Date.now()
    if (wait > 0) {
      await pause.untilChange(wait)
      return
    }
    // After a long wait another server may deliver.
    if (!alone && from.lease_until - Date.now() < EXCHANGE_MS && !(await step(from, {}))) return
    const current = row as StoredWebhook
    const attempt = await attempts.make(current)
    if (attempt) await settle(current, await outcomeOf(chat, current, attempt))
    else if (!stop.aborted) row = undefined
  }

  const settle = async (from: StoredWebhook, outcome: Outcome) => {
    tools.note(name, outcome)
    if (outcome.type === 'failed') {
      await step(from, { outcome })
    } else if (outcome.type === 'moved') {
      const wait = moves.noticeMove()
      if (await step(from, { outcome })) await rest(wait)
    } else {
      moves.noticeDelivery(from.batch_end as number)
      const place = { ...from, position: from.batch_end as number, cursor: from.batch_cursor as string }
      const next: Next = await nextBatch(chat, from, place, !wasPush)
      if (next.batch) wasPush = next.pushes !== undefined
      const { batch, pushes } = next
      await step(from, { outcome, ...(batch && { batch }), ...(pushes && { pushes }) }, next)
    }
  }

  /** Waits until a change, at most `ms` milliseconds. Keeps the lease, because another server would continue without a wait. */
  const rest = async (ms: number) => {
    const slice = alone ? ms : lease_ms / 2
    let isKept = true
    for (let left = ms; isKept && left > 0; left -= slice) {
      await pause.untilChange(Math.min(left, slice))
      if (pause.hasChange() || stop.aborted) return
      if (left > slice) isKept = await step(row as StoredWebhook, {})
    }
  }

  const isHeldByOther = ({ lease, lease_until }: StoredWebhook) =>
    !alone && lease !== chat.server && lease_until > Date.now()

  const run = async () => {
    while (!stop.aborted) {
      try {
        if (pause.takeChange() || !row) await read()
        if (isLost || !row || row.disabled === 1 || isHeldByOther(row)) return
        await (row.batch_id === null ? prepare(row) : deliver(row))
        /* c8 ignore start -- only storage fails here, and when is a race */
      } catch (error) {
        if (stop.aborted) return
        tools.report(error)
        row = undefined
        await pause.untilChange(ERROR_MS)
      }
      /* c8 ignore stop */
    }
  }

  /** Lets another server continue at once. */
  const release = async () => {
    if (alone || row?.lease !== chat.server || row.lease_until <= Date.now()) return
    const { version, scanned, push_scanned } = row
    const lease = chat.server
    const input = { name, version, lease, lease_ms: 0, alone, scanned, push_scanned }
    // If this fails, the lease ends by itself.
    await chat.writer.append('stepDelivery', input).catch(() => {})
  }

  return {
    noticeCommit: pause.noticeCommit,
    noticeChange() {
      pause.noticeChange()
      attempts.noticeChange()
    },
    get version() {
      return row?.version
    },
    ended: run().then(release),
  }
}
