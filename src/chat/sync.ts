import type { SyncPage, SyncQuery } from '../../schemas/frames.ts'
import { AppError } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { readHead } from './conversations.ts'
import { createReplay, toFrame } from './events.ts'
import { unauthorized } from './tokens.ts'

/** Waits until something may have happened to a user; to be made before the look that finds nothing. */
export type Waiter = {
  wait(ms: number): Promise<Woken>
  /** Ends the wait, for one who has gone. */
  end(): void
  cancel(): void
}

/** `again`: look again; `stop`: the server stops, or the one who waits has gone; `token_ended`: the one who waits may no longer. */
export type Woken = 'again' | 'stop' | 'token_ended'

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
  const after = cursor === undefined ? head : chat.cursors.parse(cursor, head)
  if (after === undefined) throw cursorUnknown(chat, head)
  const replay = createReplay(chat, me.user_id, after)
  const patience = cursor === undefined ? 0 : Math.min(wait * 1000, me.expires - Date.now())
  let deadline = performance.now() + patience
  for (;;) {
    const waiter = waitFor(me)
    try {
      head = await readHead(chat)
      const found = await replay.next(limit, head)
      const left = deadline - performance.now()
      if (found.length > 0 || left <= 0) {
        return {
          events: found.map(({ number, event }) => toFrame(event, me.user_id, chat.cursors.format(number))),
          cursor: chat.cursors.format(replay.position),
          more: replay.position < head,
        }
      }
      const woken = await waiter.wait(left)
      if (woken === 'token_ended') throw unauthorized('The token was revoked.')
      if (woken === 'stop') deadline = 0
    } finally {
      waiter.cancel()
    }
  }
}

export const cursorUnknown = (chat: Chat, head: number) =>
  new AppError('CURSOR_UNKNOWN', 'Load the conversations anew, and go on from this cursor.', {
    extra: { cursor: chat.cursors.format(head) },
  })
