import { randomUUID } from 'node:crypto'
import type { NewBatch, NewPush, StoredWebhook } from '../../db/deliveries.ts'
import { feedEvents } from '../../schemas/feed.ts'
import type { WebhookBatch } from '../../schemas/webhook.ts'
import type { Chat } from '../chat/context.ts'
import { readFeed } from '../chat/event-feed.ts'
import { readPushes } from './pushes.ts'

/** Events of a batch. */
const MAX_EVENTS = 100

/** Changes that are read for one webhook before the others and the row of the webhook have their turn. */
const MAX_SCANNED = 10_000

/** Where the next batch of a webhook begins. */
export type Place = Pick<StoredWebhook, 'position' | 'cursor' | 'scanned' | 'push_scanned'>

/** What was found after a place. */
export type Next = Pick<Place, 'scanned' | 'push_scanned'> & {
  batch?: NewBatch
  pushes?: NewPush[]
  /** Whether there may be more now, although there is no batch. */
  more: boolean
  /** Milliseconds until a message has waited for long enough; undefined if none waits. */
  pushIn: number | undefined
}

type Settings = Pick<StoredWebhook, 'name' | 'types' | 'push_after'>

/**
 * Makes the next batch of a webhook: of changes, or of pushes.
 * @param pushesFirst whether pushes come first if there are both, so that neither waits for all of the other
 */
export const nextBatch = async (
  chat: Chat,
  webhook: Settings,
  place: Place,
  pushesFirst: boolean,
): Promise<Next> => {
  const steps = pushesFirst ? [nextPushes, nextChanges] : [nextChanges, nextPushes]
  let next: Next = {
    scanned: place.scanned,
    push_scanned: place.push_scanned,
    more: false,
    pushIn: undefined,
  }
  for (const step of steps) {
    const found = await step(chat, webhook, { ...place, ...next })
    next = { ...next, ...found, more: next.more || found.more }
    if (next.batch) return next
  }
  return next
}

/** @returns a batch with the id and the bytes that every attempt sends */
export const makeBatch = (end: number, { previous, cursor, events }: WebhookBatch): NewBatch => ({
  id: `msg_${randomUUID()}`,
  end,
  cursor,
  body: JSON.stringify({ previous, cursor, events }),
})

const nextChanges = async (chat: Chat, webhook: Settings, place: Place) => {
  const types = typesOf(webhook)
  const head = await chat.cursors.head()
  // A restored database may know fewer numbers than the receiver.
  if (types?.size === 0) return { scanned: Math.max(place.scanned, head.last), more: false }
  let { scanned } = place
  while (scanned < head.last && scanned - place.scanned < MAX_SCANNED) {
    const page = await readFeed(chat, { after: scanned, limit: MAX_EVENTS, head })
    scanned = page.position
    const events = types ? page.events.filter(({ type }) => types.has(type)) : page.events
    if (events.length === 0) continue
    const cursor = chat.cursors.format(scanned, head)
    return { scanned, more: true, batch: makeBatch(scanned, { previous: place.cursor, cursor, events }) }
  }
  return { scanned, more: scanned < head.last }
}

/** @returns the types of the feed that the webhook gets; undefined: all */
const typesOf = ({ types }: Settings) =>
  types === null
    ? undefined
    : new Set((JSON.parse(types) as string[]).filter((type) => Object.hasOwn(feedEvents, type)))

const nextPushes = async (chat: Chat, { name, push_after }: Settings, place: Place) => {
  if (push_after === null) return { push_scanned: place.push_scanned, more: false, pushIn: undefined }
  const { events, pushes, ...found } = await readPushes(chat, {
    webhook: name,
    push_after,
    after: place.push_scanned,
  })
  if (events.length === 0) return found
  const { cursor, position } = place
  return { ...found, pushes, batch: makeBatch(position, { previous: cursor, cursor, events }) }
}
