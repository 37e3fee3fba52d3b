import type { Chat } from '../chat/context.ts'
import { findVisibleUser } from '../chat/directory.ts'
import { foldName } from '../../db/names.ts'
import type { Connection } from './connection.ts'

/** Between two looks of a socket at those whom it watches. */
const PACE_MS = 1000

type Watched = {
  /** Folded names. */
  keys: ReadonlySet<string>
  /** Those that are to be looked at. */
  dirty: Set<string>
  /** Who is shown, by id. */
  seen: Map<number, string>
  isLooking: boolean
  /** Ends the wait for the next look. */
  wake: () => void
}

/** What one who watches is told: somebody can be seen now, or no longer. */
export type Tell = {
  shown(connection: Connection, user_id: number, username: string): void
  hidden(connection: Connection, username: string): void
}

/** Who wants to know of whom, and may: looked up in small steps, since a list is long and conversations are many. */
export class Watches {
  readonly #chat: Chat
  readonly #tell: Tell
  readonly #onError: (error: unknown) => void
  readonly #watchers = new Map<number, Set<Connection>>()
  readonly #watched = new Map<Connection, Watched>()
  readonly #lookedAt = new WeakMap<Connection, number>()
  /** The last look that each user waits for. */
  readonly #lanes = new Map<number, Promise<void>>()

  constructor(chat: Chat, tell: Tell, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#tell = tell
    this.#onError = onError
  }

  /** Those who watch a user, and may. */
  watchersOf(user_id: number): Iterable<Connection> {
    return this.#watchers.get(user_id) ?? []
  }

  /**
   * Replaces what `connection` watches, and tells how it is now: at once, or a second after its last look. A list that is
   * replaced before that is looked at no more.
   */
  async watch(connection: Connection, names: readonly string[]): Promise<void> {
    this.unwatch(connection)
    if (names.length === 0) return
    const keys = new Set(names.map(foldName))
    const watched = { keys, dirty: new Set(keys), seen: new Map(), isLooking: false, wake: () => {} }
    this.#watched.set(connection, watched)
    await this.#look(connection, watched)
  }

  unwatch(connection: Connection) {
    const watched = this.#watched.get(connection)
    if (!watched) return
    for (const user_id of watched.seen.keys()) this.#ignore(connection, user_id)
    this.#watched.delete(connection)
    watched.wake()
  }

  /**
   * Whom these users may see may have changed.
   * @param changed those who came to the others or left them; where it is absent, anybody may have.
   */
  reconsider(
    user_ids: readonly number[],
    hub: { connectionsOf(user_id: number): Iterable<Connection> },
    changed?: readonly number[],
  ) {
    if (this.#watched.size === 0 || changed?.length === 0) return
    const watching = user_ids
      .flatMap((user_id) => [...hub.connectionsOf(user_id)])
      .filter((connection) => this.#watched.has(connection))
    if (watching.length > 0) this.#mark(watching, user_ids, changed).catch(this.#onError)
  }

  /** Has those looked at that concern each: the others see who came or left, and those see everybody. */
  async #mark(watching: Connection[], user_ids: readonly number[], changed?: readonly number[]) {
    // Where the names can't be read, everybody is looked at.
    const name = changed && (await this.#chat.names(user_ids).catch(() => undefined))
    const keysOf = (ids: readonly number[] = []) => new Set(name && ids.map((id) => foldName(name(id))))
    const [everybody, some, moved] = [keysOf(user_ids), keysOf(changed), new Set(changed)]
    for (const connection of watching) {
      const watched = this.#watched.get(connection)
      /* c8 ignore next -- one that went while names were read is a race */
      if (!watched) continue
      const concerned = moved.has(connection.me.user_id) ? everybody : some
      for (const key of name ? watched.keys.intersection(concerned) : watched.keys) watched.dirty.add(key)
      if (!watched.isLooking) this.#look(connection, watched).catch(this.#onError)
    }
  }

  /** Looks at those who are to be looked at. A user's sockets do it one after the other, and none more than once a second. */
  async #look(connection: Connection, watched: Watched): Promise<void> {
    if (watched.dirty.size === 0) return
    watched.isLooking = true
    try {
      const wait = (this.#lookedAt.get(connection) ?? -PACE_MS) + PACE_MS - performance.now()
      if (wait > 0) await pause(watched, wait)
      await this.#inLane(connection.me.user_id, () => this.#lookAtAll(connection, watched))
    } finally {
      watched.isLooking = false
      // What has changed since, and what a failed read has left.
      if (this.#isCurrent(connection, watched)) this.#look(connection, watched).catch(this.#onError)
    }
  }

  async #inLane(user_id: number, body: () => Promise<void>) {
    const before = this.#lanes.get(user_id)
    const mine = before ? before.then(body, body) : body()
    this.#lanes.set(user_id, mine)
    try {
      await mine
    } finally {
      if (this.#lanes.get(user_id) === mine) this.#lanes.delete(user_id)
    }
  }

  async #lookAtAll(connection: Connection, watched: Watched) {
    if (!this.#isCurrent(connection, watched)) return
    this.#lookedAt.set(connection, performance.now())
    for (const key of [...watched.dirty]) {
      // Before the look: what changes while it reads is looked at again.
      watched.dirty.delete(key)
      try {
        await this.#lookAt(connection, watched, key)
      } catch (error) {
        watched.dirty.add(key)
        this.#lookedAt.set(connection, performance.now())
        throw error
      }
      if (!this.#isCurrent(connection, watched)) return
      // A read is done at once: without this a hundred would be one turn.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #lookAt(connection: Connection, watched: Watched, key: string) {
    const found = await findVisibleUser(this.#chat, connection.me, key)
    // A later list or the end of the socket has overtaken this look.
    if (!this.#isCurrent(connection, watched)) return
    const { seen } = watched
    if (found) {
      if (seen.has(found.id)) return
      seen.set(found.id, found.username)
      this.#watchers.set(found.id, (this.#watchers.get(found.id) ?? new Set()).add(connection))
      this.#tell.shown(connection, found.id, found.username)
      return
    }
    for (const [user_id, username] of seen) {
      if (foldName(username) !== key) continue
      seen.delete(user_id)
      this.#ignore(connection, user_id)
      this.#tell.hidden(connection, username)
    }
  }

  #isCurrent(connection: Connection, watched: Watched) {
    return this.#watched.get(connection) === watched
  }

  #ignore(connection: Connection, user_id: number) {
    const watchers = this.#watchers.get(user_id)
    watchers?.delete(connection)
    if (watchers?.size === 0) this.#watchers.delete(user_id)
  }
}

/** Resolves after `ms`, or when it is woken. */
const pause = (watched: Watched, ms: number) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    watched.wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
