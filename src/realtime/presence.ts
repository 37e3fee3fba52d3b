import { createCache } from '../cache.ts'
import type { Chat, Identity } from '../chat/context.ts'
import { timestamp } from '../chat/messages.ts'
import { findAcquaintances } from '../chat/people.ts'
import type { Signal } from './bus.ts'
import type { Connection } from './connection.ts'
import { textFrame } from './framing.ts'

/** One who comes back within it was never away: a device that reconnects is no news. */
const GRACE_MS = 1000

type Watched = { names: readonly string[]; seen: Map<number, string>; run: number }

/** Who is online, and who wants to know. Never stored: `last_seen` is of this run of the server. */
export class Presence {
  readonly #chat: Chat
  readonly #server: string
  readonly #onError: (error: unknown) => void
  /** The servers at which a user has sockets. */
  readonly #online = new Map<number, Set<string>>()
  readonly #lastSeen = createCache<number, number>(100_000)
  readonly #leaving = new Map<number, NodeJS.Timeout>()
  readonly #watchers = new Map<number, Set<Connection>>()
  readonly #watched = new Map<Connection, Watched>()

  constructor(chat: Chat, server: string, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#server = server
    this.#onError = onError
  }

  /** A user's first socket came. */
  arrived({ user_id, username }: Identity) {
    const timer = this.#leaving.get(user_id)
    clearTimeout(timer)
    this.#leaving.delete(user_id)
    if (!timer) this.#tell(user_id, username, true)
  }

  /** A user's last socket went. */
  left({ user_id, username }: Identity) {
    const timer = setTimeout(() => {
      this.#leaving.delete(user_id)
      this.#tell(user_id, username, false)
    }, GRACE_MS)
    timer.unref()
    this.#leaving.set(user_id, timer)
  }

  changed({ server, user_id, username, online }: Signal & { type: 'presence' }) {
    const servers = this.#online.get(user_id) ?? new Set()
    const wasOnline = servers.size > 0
    if (online) this.#online.set(user_id, servers.add(server))
    else if (servers.delete(server) && servers.size === 0) {
      this.#online.delete(user_id)
      this.#lastSeen.set(user_id, Date.now())
    }
    if (wasOnline === this.#online.has(user_id)) return
    for (const watcher of this.#watchers.get(user_id) ?? []) this.#show(watcher, user_id, username)
  }

  /** Replaces what `connection` watches, and shows how it is now. */
  async watch(connection: Connection, names: readonly string[]): Promise<void> {
    this.unwatch(connection)
    if (names.length === 0) return
    this.#watched.set(connection, { names, seen: new Map(), run: 0 })
    await this.#look(connection)
  }

  unwatch(connection: Connection) {
    for (const user_id of this.#watched.get(connection)?.seen.keys() ?? []) this.#ignore(connection, user_id)
    this.#watched.delete(connection)
  }

  /** Conversations or blocks of these users changed, and with that perhaps whom they may see. */
  reconsider(user_ids: readonly number[], hub: { connectionsOf(user_id: number): Iterable<Connection> }) {
    if (this.#watched.size === 0) return
    for (const user_id of user_ids) {
      for (const connection of hub.connectionsOf(user_id)) {
        if (this.#watched.has(connection)) this.#look(connection).catch(this.#onError)
      }
    }
  }

  stop() {
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    this.#leaving.clear()
  }

  async #look(connection: Connection) {
    const watched = this.#watched.get(connection) as Watched
    watched.run += 1
    const { run, names, seen } = watched
    const found = await findAcquaintances(this.#chat, connection.me, names)
    // A later look, a later list or the end of the socket has overtaken this one.
    if (this.#watched.get(connection) !== watched || watched.run !== run) return
    const visible = new Map(found.map(({ id, username }) => [id, username]))
    for (const [user_id, username] of seen) {
      if (visible.has(user_id)) continue
      this.#ignore(connection, user_id)
      connection.sendDroppable(presenceFrame({ username, online: false }))
    }
    for (const [user_id, username] of visible) {
      if (seen.has(user_id)) continue
      this.#watchers.set(user_id, (this.#watchers.get(user_id) ?? new Set()).add(connection))
      this.#show(connection, user_id, username)
    }
    watched.seen = visible
  }

  #ignore(connection: Connection, user_id: number) {
    const watchers = this.#watchers.get(user_id)
    watchers?.delete(connection)
    if (watchers?.size === 0) this.#watchers.delete(user_id)
  }

  #show(connection: Connection, user_id: number, username: string) {
    const online = this.#online.has(user_id)
    const seen = online ? undefined : this.#lastSeen.get(user_id)
    const last_seen = seen === undefined ? undefined : timestamp(seen)
    connection.sendDroppable(presenceFrame({ username, online, last_seen }))
  }

  #tell(user_id: number, username: string, online: boolean) {
    this.#chat.bus.signal({ type: 'presence', server: this.#server, user_id, username, online })
  }
}

const presenceFrame = (presence: { username: string; online: boolean; last_seen?: string | undefined }) =>
  textFrame(JSON.stringify({ type: 'presence', ...presence }))
