import type { StoredMessage } from '../../db/changes.ts'
import type { Range } from '../../db/queries/messages.ts'
import type { Reader } from '../../db/query.ts'
import type { Batch } from '../../db/writer.ts'
import { readHead } from './cursors.ts'

/**
 * Messages of a generation, and UTF-16 units of their text, which edits may double; two generations are kept. With 32 times
 * the text the server took 150 MiB more while messages of 50 kB came: what lives long is swept late.
 */
const GENERATION = { messages: 8192, units: 262_144 }

/** All messages from `since` to where the next one begins, by conversation, the oldest first. */
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

  find({ conversation_id, from, to, limit }: Range, isUpward: boolean): StoredMessage[] {
    const messages = this.conversations.get(conversation_id) ?? []
    const [low, high] = [lowerBound(messages, from), lowerBound(messages, to + 1)]
    return isUpward
      ? messages.slice(low, Math.min(high, low + limit))
      : messages.slice(Math.max(low, high - limit), high).toReversed()
  }
}

/**
 * The newest messages of the database, as their commits told them: most who read want these. A page of 50 costs SQLite 110
 * of the 360 µs of a request.
 * @param size what a generation holds: the older one goes, all of it, when the newer one is full
 */
export const createRecent = (reader: Reader, size = GENERATION) => {
  const nothing = () => new Generation(Number.POSITIVE_INFINITY)
  let [older, newer] = [nothing(), nothing()]
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
    // Edits make messages longer, and no new one may come that would end their generation.
    if (generation && generation.units > 2 * size.units) [older, newer] = [nothing(), nothing()]
  }

  return {
    /** Takes what a commit changed. */
    take({ last: number, changes }: Batch) {
      last = number
      for (const { event } of changes) {
        if (event.type === 'message') keep(event.message)
        else if (event.type === 'message_updated') replace(event.message)
      }
    },

    /** Forgets all: what was taken last may not be complete. */
    forget() {
      ;[older, newer] = [nothing(), nothing()]
      last = undefined
    },

    /**
     * @returns the newest messages of a range, the newest first; when upward the oldest, the oldest first; as the database has
     * them now. Undefined where they are not all here.
     */
    async read(range: Range, isUpward: boolean): Promise<StoredMessage[] | undefined> {
      const found: StoredMessage[] = []
      for (const generation of isUpward ? [older, newer] : [newer, older]) {
        found.push(...generation.find({ ...range, limit: range.limit - found.length }, isUpward))
      }
      const isWhole =
        range.from >= Math.min(older.since, newer.since) || (!isUpward && found.length === range.limit)
      if (!isWhole) return undefined
      // A commit can be read before it is told, and what else goes into the same answer may be of it.
      const told = last
      return (await readHead({ reader })) === told ? found : undefined
    },
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
