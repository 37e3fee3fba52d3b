import { createCache } from '../cache.ts'
import type { Chat, Identity } from '../chat/context.ts'
import { timestamp } from '../chat/messages.ts'
import type { Signal } from '../bus/bus.ts'
import type { Connection } from './connection.ts'
import { textFrame } from './framing.ts'
import { Watches } from './watches.ts'

/** One who comes back within it was never away: a device that reconnects is no news. */
const GRACE_MS = 1000

/** Who is online. Never stored: `last_seen` is of this run of the server. */
export class Presence {
  readonly #chat: Chat
  readonly #server: string
  /** The servers at which a user has sockets. */
  readonly #online = new Map<number, Set<string>>()
  readonly #lastSeen = createCache<number, number>(100_000)
  readonly #leaving = new Map<number, NodeJS.Timeout>()
  /** Who is told of it. */
  readonly watches: Watches

  constructor(chat: Chat, server: string, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#server = server
    this.watches = new Watches(
      chat,
      {
        shown: (connection, user_id, username) => this.#show(connection, user_id, username),
        hidden: (connection, username) =>
          connection.sendDroppable(presenceFrame({ username, online: false })),
      },
      onError,
    )
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
    for (const watcher of this.watches.watchersOf(user_id)) this.#show(watcher, user_id, username)
  }

  stop() {
    for (const timer of this.#leaving.values()) clearTimeout(timer)
    this.#leaving.clear()
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
