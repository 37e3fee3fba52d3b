import * as queries from '../../db/queries/webhooks.ts'
import type { Chat } from '../chat/context.ts'
import { readHead } from '../chat/cursors.ts'
import type { Report } from '../chat/failures.ts'
import { AppError } from '../errors.ts'
import { type Resolver, systemResolver } from './addresses.ts'
import type { Outcome } from './answers.ts'
import { type Delivery, startDelivery } from './delivery.ts'
import { lagOf } from './lag.ts'
import { type Attempt, type Receiver, sendBatch } from './sending.ts'

/** Milliseconds between two looks for webhooks that nobody delivers. */
const LOOK_MS = 1000

/** Test requests that may be under way at the same time, each for up to 10 s. An app can test all of its webhooks at once. */
const MAX_TESTS = 32

/** Attempts of one webhook since the start of this server. */
export type Counts = { delivered: number; failed: number; moved: number }

/** A webhook as it was at the last look. */
export type Seen = { name: string; lag: number; lag_seconds: number; attempts: number }

export type WebhookLog = { warn(facts: object, text: string): void; info(facts: object, text: string): void }

/**
 * Delivers all webhooks that no other server delivers. Each is delivered by itself, so one that fails or is slow holds up no other.
 * @param alone whether no other server can have the database open
 * @param report receives the errors of reads and writes
 */
export const createWebhooks = (chat: Chat, alone: boolean, log: WebhookLog, report: Report) => {
  const deliveries = new Map<string, Delivery>()
  const counts = new Map<string, Counts>()
  /** The webhooks whose last attempt failed, as far as this server knows. */
  const failing = new Set<string>()
  const stopping = new AbortController()
  let seen: Seen[] = []
  let timer: NodeJS.Timeout | undefined
  let looking = Promise.resolve()
  let isReported = false
  /** Test requests that are under way. */
  let tests = 0
  let resolver: Resolver = systemResolver

  const send = (receiver: Receiver, batch: { id: string; body: string }, end: AbortSignal) =>
    sendBatch(chat.config, (name) => resolver(name), receiver, batch, end)

  const note = (name: string, outcome: Outcome) => {
    const count = counts.get(name) ?? { delivered: 0, failed: 0, moved: 0 }
    count[outcome.type] += 1
    counts.set(name, count)
    if (outcome.type !== 'failed') {
      if (failing.delete(name)) log.info({ webhook: name }, 'The webhook receives events again.')
    } else if (!failing.has(name)) {
      failing.add(name)
      const end =
        outcome.retry_ms === null ? 'It is disabled.' : 'Its batch is sent again until it is answered.'
      log.warn({ webhook: name, error: outcome.error }, `A webhook fails. ${end}`)
    }
  }

  /** Reports the first of several errors in a row. */
  const reportOnce = (error: unknown) => {
    if (!isReported) report(error)
    isReported = true
  }

  const start = (name: string) => {
    const tools = {
      chat,
      alone,
      lease_ms: 2 * chat.config.NODE_TIMEOUT_MS,
      stop: stopping.signal,
      send,
      note,
      report: reportOnce,
    }
    const delivery = startDelivery(tools, name)
    deliveries.set(name, delivery)
    void delivery.ended.then(() => deliveries.delete(name))
  }

  const readRows = () =>
    chat.reader.snapshot(async (read) => ({
      rows: await read.all(queries.webhooks, {}),
      head: await readHead(read),
    }))

  const look = async () => {
    const before = new Map([...deliveries].map(([name, { version }]) => [name, version]))
    const { rows, head } = await readRows()
    if (stopping.signal.aborted) return
    const now = Date.now()
    seen = rows.map((row) => ({ ...lagOf(row, head, now), name: row.name, attempts: row.attempts }))
    const versions = new Map(rows.map(({ name, version }) => [name, version]))
    for (const [name, delivery] of deliveries) {
      const version = versions.get(name)
      // A step that the delivery stores during the read is no change of the webhook.
      if (version !== before.get(name) && version !== delivery.version) delivery.noticeChange()
    }
    for (const name of counts.keys()) if (!versions.has(name)) counts.delete(name)
    /* c8 ignore next -- whether a webhook fails when it is deleted is a race */
    for (const name of failing) if (!versions.has(name)) failing.delete(name)
    for (const { name, disabled, lease, lease_until } of rows) {
      const isHeld = !alone && lease !== chat.server && lease_until > now
      if (!deliveries.has(name) && disabled === 0 && !isHeld) start(name)
    }
    isReported = false
  }

  /** The next look begins after the end of this one, so that two never overlap. */
  const lookAgain = async () => {
    looking = looking.then(look).catch(reportOnce)
    await looking
    clearTimeout(timer)
    if (!stopping.signal.aborted) timer = setTimeout(() => void lookAgain(), LOOK_MS).unref()
  }

  chat.bus.subscribe({
    batch: () => {
      for (const delivery of deliveries.values()) delivery.noticeCommit()
    },
    signal: () => {},
  })

  return {
    /** Looks now, and every second from now on. */
    start: () => void lookAgain(),
    /** Call it after a change of a webhook. Other servers see it at their next look. */
    noticeChange(name: string) {
      deliveries.get(name)?.noticeChange()
      void lookAgain()
    },
    /** Sends a batch once, whatever else is delivered. @throws AppError `RATE_LIMITED` if 32 tests are under way */
    async test(receiver: Receiver, batch: { id: string; body: string }): Promise<Attempt> {
      if (tests >= MAX_TESTS) throw tooManyTests()
      tests += 1
      try {
        return await send(receiver, batch, stopping.signal)
      } finally {
        tests -= 1
      }
    },
    /** What metrics show. */
    counts: counts as ReadonlyMap<string, Counts>,
    get seen(): readonly Seen[] {
      return seen
    },
    /** Replaces the lookup of names. For tests. */
    set resolve(found: Resolver) {
      resolver = found
    },
    /** Ends every attempt and lets other servers continue. What was not answered is sent again. */
    async stop() {
      stopping.abort()
      clearTimeout(timer)
      const ended = [...deliveries.values()].map((delivery) => {
        delivery.noticeChange()
        return delivery.ended
      })
      await Promise.all(ended)
    },
  }
}

const tooManyTests = () =>
  new AppError('RATE_LIMITED', `At most ${MAX_TESTS} tests of webhooks may run. Wait for one to end.`, {
    retryAfter: 5,
  })

export type Webhooks = ReturnType<typeof createWebhooks>
