import { randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import { createCache } from '../cache.ts'
import type { Database } from '../../db/database.ts'
import type { Reads } from '../../db/query.ts'
import * as users from '../../db/queries/users.ts'
import type { EventFrame } from '../../schemas/events.ts'
import type { Config } from '../config.ts'
import { createLoad } from '../load/shedding.ts'
import type { Bus } from '../bus/bus.ts'
import { Turns } from '../load/turns.ts'
import { createActivity } from './activity.ts'
import { createCursors } from './cursors.ts'
import type { Report } from './failures.ts'
import { createFeedWaits } from './feed-waits.ts'
import { createProbe } from './probe.ts'
import { createRateLimit, createSharedLimit } from './rate-limit.ts'
import { createReceiptSweep } from './receipt-sweep.ts'
import { createRecent } from './recent.ts'
import { createRemovalSteps } from './removal-steps.ts'

/** The user of a request, as the verified token says, or a verified server key and `On-Behalf-Of`. */
export type Identity = {
  user_id: number
  username: string
  /** Id of the token, or the hash of the server key. */
  jti: string
  /** Only for a token of an issuer: when it was issued, in seconds since 1970; 0 if it does not say. */
  issued_at?: number
  /** When the token expires, in milliseconds since 1970. */
  expires: number
  /** The number of a change after which the token was valid. */
  verified_at: number
  /** The name of the server key that acts on behalf of the user. Absent if the user acts. */
  key?: string
}

/** A page of events that is complete up to the number `position`. */
export type EventPage = { events: EventFrame[]; position: number }

/**
 * Reads of the feed and for pushes that run at the same time. A read of the feed sends ten queries and holds a connection to
 * PostgreSQL. Beside 200 parallel calls of `GET /events`, the median of `GET /users/{username}` is 35 ms; without the limit, 975 ms.
 */
const FEED_READS = 2

/** The dependencies and shared state of all use cases. */
export type Chat = ReturnType<typeof createChat>

/** @param report receives errors of work in the background, which no request waits for */
export const createChat = (
  config: Config,
  { reader, writer, epoch, head, cluster }: Database,
  bus: Bus,
  report: Report,
) => ({
  config,
  /** Distinguishes the servers of one database. */
  server: cluster?.node ?? randomBytes(4).toString('hex'),
  reader,
  writer,
  bus,
  cursors: createCursors({ epoch, head }),
  names: createNames(),
  idOf: createIds(),
  recent: createRecent(),
  activity: createActivity(),
  /** Reads of `/sync` in progress. Identical calls of one user share a read. */
  syncReads: new Map<string, Promise<EventPage>>(),
  feedWaits: createFeedWaits(bus),
  /** Runs reads of the feed, a few at a time. */
  feedReads: pLimit(FEED_READS),
  loginLimit: createSharedLimit(config.RATE_LIMIT_LOGIN, cluster),
  sendLimit: createUserLimit(config.RATE_LIMIT_SEND),
  /** The cost of a change is the number of members that it affects. */
  changeLimit: createUserLimit(config.RATE_LIMIT_CHANGES),
  load: createLoad(config),
  turns: new Turns(),
  probe: createProbe(reader, writer),
  receiptSweep: createReceiptSweep(reader, writer, config, report),
  removalSteps: createRemovalSteps(reader, writer, config, report),
  /** One entry per user and conversation for 3 s after a typing signal. */
  typingPacing: createCache<string, true>(100_000, { ttl: 3000 }),
})

/** @returns a function that counts a call of a user. What a server key does on behalf of the user is not counted. */
const createUserLimit = (perMinute: number) => {
  const limit = createRateLimit(perMinute)
  return ({ user_id, key }: Identity, cost?: number): void => {
    if (key === undefined) limit(user_id, cost)
  }
}

/** Looks up usernames by user id. A username never changes, so cached names stay valid. */
const createNames = () => {
  const cache = createCache<number, string>(100_000)
  return async (read: Reads, ids: Iterable<number>): Promise<(id: number) => string> => {
    const names = new Map<number, string>()
    for (const id of ids) {
      if (names.has(id)) continue
      const name =
        cache.get(id) ?? ((await read.get(users.userById, { id })) as { username: string }).username
      cache.set(id, name)
      names.set(id, name)
    }
    return (id) => names.get(id) as string
  }
}

/** Looks up user ids by folded name. Only existing names are cached: an account may be created under any other name later. */
const createIds = () => {
  const cache = createCache<string, number>(100_000)
  return async (read: Reads, key: string): Promise<number | undefined> => {
    const known = cache.get(key)
    if (known !== undefined) return known
    const user = await read.get(users.userByKey, { key })
    if (user) cache.set(key, user.id)
    return user?.id
  }
}
