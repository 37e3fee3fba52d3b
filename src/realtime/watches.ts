import type { Chat } from '../chat/context.ts'
import { findVisibleUser } from '../chat/directory.ts'
import { foldName } from '../../db/names.ts'
import type { Subscriber } from './subscriber.ts'

/** Milliseconds between two lookups of one connection's list. */
const PACE_MS = 1000

/** The watch list of one connection. */
type WatchList = {
  /** Folded names. */
  keys: ReadonlySet<string>
  /** Keys that must be looked up. */
  dirty: Set<string>
  /** Names of the users whose presence the connection receives, by id. */
  visible: Map<number, string>
  isBusy: boolean
  /** Ends the pause before the next lookup. */
  wake: () => void
}

export type WatchListener = {
  /** A watched user exists and may be seen. Called again after each time the user was hidden. */
  onVisible(connection: Subscriber, user_id: number, username: string): void
  /** A watched user may no longer be seen. */
  onHidden(connection: Subscriber, username: string): void
}

type ConnectionsOf = { connectionsOf(user_id: number): Iterable<Subscriber> }

/**
 * Who watches whose presence, and is allowed to. A list has up to 100 names and each lookup may read many conversations,
 * so lookups run one per turn of the event loop, one list per user at a time, and at most once a second per connection.
 */
export class Watches {
  readonly #chat: Chat
  readonly #listener: WatchListener
  readonly #onError: (error: unknown) => void
  /** Connections that receive the presence of a user. */
  readonly #watchers = new Map<number, Set<Subscriber>>()
  readonly #lists = new Map<Subscriber, WatchList>()
  /** When the last lookup of a connection began. */
  readonly #lookedUpAt = new WeakMap<Subscriber, number>()
  /** The last lookup that each user's connections queued. */
  readonly #queues = new Map<number, Promise<void>>()

  /** @param onError receives errors of lookups that no `watch` call waits for */
  constructor(chat: Chat, listener: WatchListener, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#listener = listener
    this.#onError = onError
  }

  /** @returns the connections that receive the presence of a user */
  watchersOf(user_id: number): Iterable<Subscriber> {
    return this.#watchers.get(user_id) ?? []
  }

  /**
   * Replaces the watch list of `connection`. Resolves when the listener was called for each visible user: at once, or a
   * second after the previous lookup. A list that is replaced before that is not looked up further.
   */
  async watch(connection: Subscriber, names: readonly string[]): Promise<void> {
    this.unwatch(connection)
    if (names.length === 0) return
    const keys = new Set(names.map(foldName))
    const list = { keys, dirty: new Set(keys), visible: new Map(), isBusy: false, wake: () => {} }
    this.#lists.set(connection, list)
    await this.#lookUp(connection, list)
  }

  /** Removes the watch list of `connection` without a call of the listener. */
  unwatch(connection: Subscriber) {
    const list = this.#lists.get(connection)
    if (!list) return
    for (const user_id of list.visible.keys()) this.#removeWatcher(connection, user_id)
    this.#lists.delete(connection)
    list.wake()
  }

  /**
   * Looks up again who may be seen, after a membership or a block changed.
   * @param user_ids the users between whom visibility may have changed
   * @param changed those of them who joined, left or were blocked; all of them may have if absent
   */
  refresh(user_ids: readonly number[], hub: ConnectionsOf, changed?: readonly number[]) {
    if (this.#lists.size === 0 || changed?.length === 0) return
    const watching = user_ids
      .flatMap((user_id) => [...hub.connectionsOf(user_id)])
      .filter((connection) => this.#lists.has(connection))
    if (watching.length > 0) this.#mark(watching, user_ids, changed).catch(this.#onError)
  }

  /** Marks the keys to look up: all of `user_ids` for users who changed, and `changed` for the others. */
  async #mark(watching: Subscriber[], user_ids: readonly number[], changed?: readonly number[]) {
    // Without names, the whole list is marked.
    const name = changed && (await this.#chat.names(this.#chat.reader, user_ids).catch(() => undefined))
    const keysOf = (ids: readonly number[] = []) => new Set(name && ids.map((id) => foldName(name(id))))
    const [allKeys, changedKeys, changedIds] = [keysOf(user_ids), keysOf(changed), new Set(changed)]
    for (const connection of watching) {
      const list = this.#lists.get(connection)
      /* c8 ignore next -- one that went while names were read is a race */
      if (!list) continue
      const concerned = changedIds.has(connection.me.user_id) ? allKeys : changedKeys
      for (const key of name ? list.keys.intersection(concerned) : list.keys) list.dirty.add(key)
      if (!list.isBusy) this.#lookUp(connection, list).catch(this.#onError)
    }
  }

  async #lookUp(connection: Subscriber, list: WatchList): Promise<void> {
    if (list.dirty.size === 0) return
    list.isBusy = true
    try {
      const wait = (this.#lookedUpAt.get(connection) ?? -PACE_MS) + PACE_MS - performance.now()
      if (wait > 0) await pause(list, wait)
      await this.#enqueue(connection.me.user_id, () => this.#lookUpDirty(connection, list))
    } finally {
      list.isBusy = false
      // Keys that were marked meanwhile, and those that a failed read left.
      if (this.#isCurrent(connection, list)) this.#lookUp(connection, list).catch(this.#onError)
    }
  }

  /** Runs the lookups of one user's connections one after the other. */
  async #enqueue(user_id: number, lookUp: () => Promise<void>) {
    const previous = this.#queues.get(user_id)
    const current = previous ? previous.then(lookUp, lookUp) : lookUp()
    this.#queues.set(user_id, current)
    try {
      await current
    } finally {
      if (this.#queues.get(user_id) === current) this.#queues.delete(user_id)
    }
  }

  async #lookUpDirty(connection: Subscriber, list: WatchList) {
    if (!this.#isCurrent(connection, list)) return
    this.#lookedUpAt.set(connection, performance.now())
    for (const key of [...list.dirty]) {
      // Before the read, so that a change during the read marks the key again.
      list.dirty.delete(key)
      try {
        await this.#lookUpKey(connection, list, key)
      } catch (error) {
        list.dirty.add(key)
        this.#lookedUpAt.set(connection, performance.now())
        throw error
      }
      if (!this.#isCurrent(connection, list)) return
      // Reads are synchronous below their promise: without this, all lookups of all connections would run in one turn.
      await new Promise((resolve) => setImmediate(resolve))
      await this.#chat.turns.ready(connection.me.user_id)
    }
  }

  async #lookUpKey(connection: Subscriber, list: WatchList, key: string) {
    const found = await findVisibleUser(this.#chat, connection.me, key)
    // The list may have been replaced, or the socket closed, during the read.
    if (!this.#isCurrent(connection, list)) return
    const { visible } = list
    if (found) {
      if (visible.has(found.id)) return
      visible.set(found.id, found.username)
      this.#watchers.set(found.id, (this.#watchers.get(found.id) ?? new Set()).add(connection))
      this.#listener.onVisible(connection, found.id, found.username)
      return
    }
    for (const [user_id, username] of visible) {
      if (foldName(username) !== key) continue
      visible.delete(user_id)
      this.#removeWatcher(connection, user_id)
      this.#listener.onHidden(connection, username)
    }
  }

  #isCurrent(connection: Subscriber, list: WatchList) {
    return this.#lists.get(connection) === list
  }

  #removeWatcher(connection: Subscriber, user_id: number) {
    const watchers = this.#watchers.get(user_id)
    watchers?.delete(connection)
    if (watchers?.size === 0) this.#watchers.delete(user_id)
  }
}

/** Resolves after `ms`, or when `list.wake` is called. */
const pause = (list: WatchList, ms: number) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    list.wake = () => {
      clearTimeout(timer)
      resolve()
    }
  })
