import type { StoredMessage } from '../../db/changes.ts'
import type { Range } from '../../db/queries/messages.ts'
import type { Reads } from '../../db/query.ts'
import type { Batch } from '../../db/writer.ts'
import { readHead } from './cursors.ts'

/**
 * Limits of a generation: messages, and UTF-16 units of their text, which edits may double. Two generations are kept. A limit
 * of 32 times the text cost 150 MiB more under a load of 50 kB messages, because V8 collects long-lived objects late.
 */
const GENERATION = { messages: 8192, units: 262_144 }

/** All messages from the id `since` to the start of the next generation, by conversation, oldest first. */
class Generation {
  readonly conversations = new Map<number, StoredMessage[]>()
  readonly since: number
  count = 0
  units = 0

  constructor(since: number) {
    this.since = since
  }

  add(message: StoredMessage) {
    const messages = this.conversations.get(message.conversation_id)
    if (messages) messages.push(message)
    else this.conversations.set(message.conversation_id, [message])
    this.count += 1
    this.units += lengthOf(message)
  }

  replace(message: StoredMessage) {
    const messages = this.conversations.get(message.conversation_id) as StoredMessage[]
    const index = lowerBound(messages, message.id)
    this.units += lengthOf(message) - lengthOf(messages[index] as StoredMessage)
    messages[index] = message
  }

  find({ conversation_id, from, to, limit }: Range, isAscending: boolean): StoredMessage[] {
    const messages = this.conversations.get(conversation_id) ?? []
    const [low, high] = [lowerBound(messages, from), lowerBound(messages, to + 1)]
    return isAscending
      ? messages.slice(low, Math.min(high, low + limit))
      : messages.slice(Math.max(low, high - limit), high).toReversed()
  }
}

/**
 * Caches the newest messages of the database, because most reads ask for them. Reading a page of 50 from SQLite takes 48 of
 * the 177 µs of processor time of a request. Commits fill the cache.
 * @param size limits of a generation; the older generation is discarded as a whole when the newer one is full
 */
export const createRecent = (size = GENERATION) => {
  const empty = () => new Generation(Number.POSITIVE_INFINITY)
  let [older, newer] = [empty(), empty()]
  let last: number | undefined

  const keep = (message: StoredMessage) => {
    if (newer.since > message.id) newer = new Generation(message.id)
    else if (newer.count >= size.messages || newer.units >= size.units) {
      older = newer
      newer = new Generation(message.id)
    }
    newer.add(message)
  }

  const replace = (message: StoredMessage) => {
    const generation = [newer, older].find(({ since }) => message.id >= since)
    generation?.replace(message)
    // Edits lengthen messages, but only a new message starts a new generation.
    if (generation && generation.units > 2 * size.units) [older, newer] = [empty(), empty()]
  }

  /** @returns undefined if the cache does not have all messages of the range */
  const find = (range: Range, isAscending: boolean): StoredMessage[] | undefined => {
    const found: StoredMessage[] = []
    for (const generation of isAscending ? [older, newer] : [newer, older]) {
      found.push(...generation.find({ ...range, limit: range.limit - found.length }, isAscending))
    }
    const isComplete =
      range.from >= Math.min(older.since, newer.since) || (!isAscending && found.length === range.limit)
    return isComplete ? found : undefined
  }

  return {
    /** Records a committed batch. */
    take({ first, last: number, changes }: Batch) {
      // A gap may hide messages and edits.
      if (last !== undefined && first !== last + 1) [older, newer] = [empty(), empty()]
      last = number
      for (const { event } of changes) {
        if (event.type === 'message') keep(event.message)
        else if (event.type === 'message_updated') replace(event.message)
      }
    },

    /** Discards everything, because the last batch may have been recorded only in part. */
    forget() {
      ;[older, newer] = [empty(), empty()]
      last = undefined
    },

    /**
     * @param read a snapshot, in which the caller also reads what the messages must agree with, such as the membership
     * @returns the newest messages of a range, newest first, or with `isAscending` the oldest messages, oldest first, in their
     *   current state. Undefined if the cache does not have all of them.
     */
    async read(read: Reads, range: Range, isAscending: boolean): Promise<StoredMessage[] | undefined> {
      const found = find(range, isAscending)
      // The snapshot may include a commit that `take` has not recorded yet, or lack one that it has.
      const recorded = last
      return found && (await readHead(read)) === recorded ? found : undefined
    },

    /** Whether the cache has messages of a conversation. */
    has: (conversation_id: number): boolean =>
      [newer, older].some(({ conversations }) => conversations.has(conversation_id)),

    /** As `read`, newest first, for a caller that has read `head` in the same moment as what the messages must agree with. */
    newest: (range: Range, head: number): StoredMessage[] | undefined =>
      head === last ? find(range, false) : undefined,
  }
}

const lengthOf = ({ content, metadata }: StoredMessage) => content.length + (metadata?.length ?? 0)

/** @returns the index of the first message whose id is `id` or above. */
const lowerBound = (messages: readonly StoredMessage[], id: number): number => {
  let [low, high] = [0, messages.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((messages[middle] as StoredMessage).id < id) low = middle + 1
    else high = middle
  }
  return low
}
