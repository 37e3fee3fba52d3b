import * as users from '../../db/queries/users.ts'
import type { StoredUser } from '../../db/transaction.ts'
import { contactsOf } from '../chat/contacts.ts'
import type { Chat } from '../chat/context.ts'
import { toUser } from '../chat/profiles.ts'
import type { Subscriber } from './subscriber.ts'
import { textFrame } from './transport.ts'

/** Milliseconds after an announcement in which further changes of the same user wait, and become one. */
const PACE_MS = 1000
/** Users who may wait to be announced. The changes of others are dropped. */
const MAX_WAITING = 10_000
/** Rows that one announcement reads: 100 ms in turns of 1 ms, for 8,000 direct conversations or 100 groups of 256 members. */
const MAX_ROWS = 25_000

type ConnectionsOf = { size: number; connectionsOf(user_id: number): Iterable<Subscriber> }

/**
 * Announces changes of profiles to the open sockets of this server, by frames that may be lost. An announcement reads many
 * rows, so one runs at a time, other work runs between its reads, and many changes of one user become one.
 */
export class ProfileAnnouncer {
  readonly #chat: Chat
  readonly #onError: (error: unknown) => void
  readonly #waiting = new Set<number>()
  /** Users who were announced less than `PACE_MS` ago, or are being announced. */
  readonly #recent = new Set<number>()
  /** Those of `#recent` who have changed since. */
  readonly #again = new Set<number>()
  #isRunning = false
  #isStopped = false

  /** @param onError receives errors of reads */
  constructor(chat: Chat, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#onError = onError
  }

  /** Call it when an account was created, changed or removed. */
  changed(user_id: number, hub: ConnectionsOf) {
    if (this.#isStopped || hub.size === 0) return
    if (this.#recent.has(user_id)) this.#again.add(user_id)
    else if (this.#waiting.size < MAX_WAITING) this.#waiting.add(user_id)
    if (!this.#isRunning) void this.#run(hub)
  }

  stop() {
    this.#isStopped = true
    this.#waiting.clear()
  }

  /** Never rejects. */
  async #run(hub: ConnectionsOf) {
    this.#isRunning = true
    for (const user_id of this.#waiting) {
      this.#waiting.delete(user_id)
      // Before the first read, so that a change during the announcement is announced again.
      this.#recent.add(user_id)
      try {
        await this.#announce(user_id, hub)
      } catch (error) {
        /* c8 ignore next -- a stop during an announcement is a race */
        if (!this.#isStopped) this.#onError(error)
      }
      setTimeout(() => this.#endPause(user_id, hub), PACE_MS).unref()
    }
    this.#isRunning = false
  }

  #endPause(user_id: number, hub: ConnectionsOf) {
    this.#recent.delete(user_id)
    if (this.#again.delete(user_id)) this.changed(user_id, hub)
  }

  async #announce(user_id: number, hub: ConnectionsOf) {
    let frame: Buffer | undefined
    const notified = new Set<number>()
    for await (const found of contactsOf(this.#chat, user_id, MAX_ROWS)) {
      for (const id of found) {
        if (notified.has(id)) continue
        notified.add(id)
        for (const connection of hub.connectionsOf(id)) {
          frame ??= await this.#frameOf(user_id)
          connection.sendDroppable(frame)
        }
      }
    }
  }

  async #frameOf(user_id: number) {
    const user = await this.#chat.reader.get(users.userById, { id: user_id })
    return textFrame({ type: 'user', user: toUser(user as StoredUser) })
  }
}
