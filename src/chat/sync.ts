import type { Head } from '../../db/epochs.ts'
import * as users from '../../db/queries/users.ts'
import { refuseSuspended, type Suspension } from '../../db/refusals.ts'
import type { SyncPage, SyncQuery } from '../../schemas/sync.ts'
import { AppError, unauthorized } from '../errors.ts'
import type { Chat, EventPage, Identity } from './context.ts'
import { toEventFrame } from './event-frames.ts'
import { longPoll } from './long-poll.ts'
import { createReplay } from './replay.ts'
import type { Waiter } from './waiter.ts'

/**
 * Returns my events after a cursor. If there are none, waits for one for up to `wait` seconds.
 * @returns a page of events and the cursor after it; without a cursor, no events and the cursor of the newest change
 * @throws AppError `CURSOR_UNKNOWN` with the cursor of the newest change; `UNAUTHORIZED` if the token ends during the wait;
 *   `ACCOUNT_SUSPENDED`
 */
export const sync = (
  chat: Chat,
  me: Identity,
  { cursor, limit, wait }: SyncQuery,
  waitFor: (me: Identity) => Waiter,
): Promise<SyncPage> =>
  longPoll(chat, {
    cursor,
    maxWait: Math.min(wait * 1000, me.expires - Date.now()),
    waitFor: () => waitFor(me),
    parse(position, head) {
      const number = chat.cursors.parse(position, head)
      if (number === undefined) throw cursorUnknown(chat.cursors.format(head.last, head))
      return number
    },
    read: (after, head) => readShared(chat, me.user_id, after, limit, head),
    async woken(reason) {
      if (reason === 'token_ended') throw unauthorized('The token was revoked. Log in again.')
      if (reason === 'suspended') await refuseSuspendedUser(chat, me)
    },
    // Calls that share a page build their responses in separate turns of the event loop.
    beforeReturn: () => chat.turns.ready(me.user_id),
  })

/** @throws AppError `ACCOUNT_SUSPENDED`, unless the suspension was lifted in the meantime */
const refuseSuspendedUser = async ({ reader }: Chat, { user_id }: Identity): Promise<void> =>
  refuseSuspended((await reader.get(users.userById, { id: user_id })) as Suspension)

/** Reads the events after a number, up to `head`. Concurrent identical calls of one user share the read. */
const readShared = (chat: Chat, user_id: number, after: number, limit: number, head: Head) => {
  const key = `${user_id}:${after}:${limit}:${head.epoch}:${head.last}`
  const shared = chat.syncReads.get(key)
  if (shared) return shared
  const read = readEvents(chat, user_id, after, limit, head).finally(() => chat.syncReads.delete(key))
  chat.syncReads.set(key, read)
  return read
}

const readEvents = async (
  chat: Chat,
  user_id: number,
  after: number,
  limit: number,
  head: Head,
): Promise<EventPage> => {
  const replay = createReplay(chat, user_id, after)
  const events = await replay.next(limit, head.last)
  return {
    events: events.map(({ number, event }) =>
      toEventFrame(event, user_id, chat.cursors.format(number, head)),
    ),
    position: replay.position,
  }
}

/** @param cursor that of the newest change, from which the client can resume after loading the conversations */
export const cursorUnknown = (cursor: string) =>
  new AppError(
    'CURSOR_UNKNOWN',
    'This database does not know the cursor. Load the conversations again, then resume from the cursor of this error.',
    { extra: { cursor } },
  )
