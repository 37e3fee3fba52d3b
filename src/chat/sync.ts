import type { SyncPage, SyncQuery } from '../../schemas/sync.ts'
import { AppError } from '../errors.ts'
import type { Chat, EventPage, Identity } from './context.ts'
import { readHead } from './cursors.ts'
import { toEventFrame } from './event-frames.ts'
import { createReplay } from './replay.ts'
import { unauthorized } from './tokens.ts'

/** Waits until something may have happened to a user; to be made before the look that finds nothing. */
export type Waiter = {
  wait(ms: number): Promise<WakeReason>
  /** Ends the wait, for one who has gone. */
  end(): void
  cancel(): void
}

/** `again`: look again; `stop`: the server stops, or the one who waits has gone; `token_ended`: the one who waits may no longer. */
export type WakeReason = 'again' | 'stop' | 'token_ended'

/**
 * What happened to me after a cursor; where that is nothing, waits up to `wait` seconds for it.
 * @throws AppError `CURSOR_UNKNOWN`, with the cursor of now
 */
export const sync = async (
  chat: Chat,
  me: Identity,
  { cursor, limit, wait }: SyncQuery,
  waitFor: (me: Identity) => Waiter,
): Promise<SyncPage> => {
  let head = await readHead(chat)
  let position = cursor === undefined ? head : chat.cursors.parse(cursor, head)
  if (position === undefined) throw cursorUnknown(chat, head)
  const patience = cursor === undefined ? 0 : Math.min(wait * 1000, me.expires - Date.now())
  let deadline = performance.now() + patience
  for (;;) {
    const waiter = waitFor(me)
    try {
      head = await readHead(chat)
      const look = await lookOnce(chat, me.user_id, position, limit, head)
      position = look.position
      const left = deadline - performance.now()
      if (look.events.length > 0 || left <= 0) {
        // Those that share a page make their answers in turns.
        await chat.turns.ready()
        return { events: look.events, cursor: chat.cursors.format(position), more: position < head }
      }
      const woken = await waiter.wait(left)
      if (woken === 'token_ended') throw unauthorized('The token was revoked.')
      if (woken === 'stop') deadline = 0
    } finally {
      waiter.cancel()
    }
  }
}

/** Looks after `position`, up to `head`. Calls of one user that look at the same time for the same share one read. */
const lookOnce = (chat: Chat, user_id: number, position: number, limit: number, head: number) => {
  const key = `${user_id}:${position}:${limit}:${head}`
  const shared = chat.syncReads.get(key)
  if (shared) return shared
  const look = lookAfter(chat, user_id, position, limit, head).finally(() => chat.syncReads.delete(key))
  chat.syncReads.set(key, look)
  return look
}

const lookAfter = async (
  chat: Chat,
  user_id: number,
  after: number,
  limit: number,
  head: number,
): Promise<EventPage> => {
  const replay = createReplay(chat, user_id, after)
  const found = await replay.next(limit, head)
  return {
    events: found.map(({ number, event }) => toEventFrame(event, user_id, chat.cursors.format(number))),
    position: replay.position,
  }
}

export const cursorUnknown = (chat: Chat, head: number) =>
  new AppError('CURSOR_UNKNOWN', 'Load the conversations anew, and go on from this cursor.', {
    extra: { cursor: chat.cursors.format(head) },
  })
