import { createCache } from '../cache.ts'
import type { Database } from '../../db/database.ts'
import type { Reader } from '../../db/query.ts'
import * as users from '../../db/queries/users.ts'
import type { EventFrame } from '../../schemas/events.ts'
import type { Config } from '../config.ts'
import { createLoad } from '../load/shedding.ts'
import type { Bus } from '../bus/bus.ts'
import { Turns } from '../load/turns.ts'
import { createActivity } from './activity.ts'
import { createCursors } from './cursors.ts'
import { createRemovalSteps } from './removal-steps.ts'
import { createProbe } from './probe.ts'
import { createRateLimit } from './rate-limit.ts'
import { createReceiptPacing } from './receipt-pacing.ts'
import { createRecent } from './recent.ts'

/** Who acts: what a verified token says. */
export type Identity = {
  user_id: number
  username: string
  jti: string
  /** Milliseconds since 1970 at which the token ends. */
  expires: number
}

/** What every use case works with. */
export type Chat = ReturnType<typeof createChat>

export const createChat = (config: Config, { reader, writer, epochs }: Database, bus: Bus) => ({
  config,
  reader,
  writer,
  bus,
  cursors: createCursors(epochs),
  names: createNames(reader),
  idOf: createIds(reader),
  recent: createRecent(reader),
  activity: createActivity(),
  syncReads: new Map<string, Promise<EventPage>>(),
  loginLimit: createRateLimit(config.RATE_LIMIT_LOGIN),
  sendLimit: createRateLimit(config.RATE_LIMIT_SEND),
  /** Its cost is the number of members that a change touches. */
  changeLimit: createRateLimit(config.RATE_LIMIT_CHANGES),
  load: createLoad(config),
  turns: new Turns(),
  probe: createProbe(writer),
  receiptPacing: createReceiptPacing(writer, config),
  removalSteps: createRemovalSteps(reader, writer, config),
  typingPacing: createCache<string, true>(100_000, { ttl: 3000 }),
})

/** A page of events, and the number up to which it is complete. */
export type EventPage = { events: EventFrame[]; position: number }

/** Names by id; a name is never changed, so what was read once holds. */
const createNames = (reader: Reader) => {
  const cache = createCache<number, string>(100_000)
  return async (ids: Iterable<number>): Promise<(id: number) => string> => {
    const names = new Map<number, string>()
    for (const id of ids) {
      if (names.has(id)) continue
      const name =
        cache.get(id) ?? ((await reader.get(users.userById, { id })) as { username: string }).username
      cache.set(id, name)
      names.set(id, name)
    }
    return (id) => names.get(id) as string
  }
}

/** Ids by folded name: never changed either. A name that nobody has may be somebody's later. */
const createIds = (reader: Reader) => {
  const cache = createCache<string, number>(100_000)
  return async (key: string): Promise<number | undefined> => {
    const known = cache.get(key)
    if (known !== undefined) return known
    const user = await reader.get(users.userByKey, { key })
    if (user) cache.set(key, user.id)
    return user?.id
  }
}
