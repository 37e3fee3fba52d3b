import type { Signal } from '../bus/bus.ts'
import { createCache } from '../cache.ts'
import type { Chat, Identity } from '../chat/context.ts'
import { timestamp } from '../chat/messages.ts'
import type { Subscriber } from './subscriber.ts'
import { textFrame } from './transport.ts'
import { Watches } from './watches.ts'

/** Milliseconds after which a disconnected user is offline. A reconnection within it publishes nothing. */
const GRACE_MS = 1000

/** Which users are online. `last_seen` covers this run of the server. */
export class Presence {
  readonly #chat: Chat
  readonly #server: string
  /** For each online user, the servers at which the user has sockets. */
  readonly #online = new Map<number, { username: string; servers: Set<string> }>()
  readonly #lastSeen = createCache<number, number>(100_000)
  /** Timers of users who are still online because of `GRACE_MS`. */
  readonly #graces = new Map<number, NodeJS.Timeout>()
  readonly watches: Watches

  /** @param server the name of this server, unique among all servers of one database */
  constructor(chat: Chat, server: string, onError: (error: unknown) => void) {
    this.#chat = chat
    this.#server = server
    this.watches = new Watches(
      chat,
      {
        onVisible: (connection, user_id, username) => this.#send(connection, user_id, username),
        onHidden: (connection, username) =>
          connection.sendDroppable(presenceFrame({ username, online: false })),
      },
      onError,
    )
  }

  /** Call it when the first socket of a user opens. */
  connected({ user_id, username }: Identity) {
    const grace = this.#graces.get(user_id)
    clearTimeout(grace)
    this.#graces.delete(user_id)
    if (!grace) this.#publish(user_id, username, true)
  }

  /** Call it when the last socket of a user closes. */
  disconnected({ user_id, username }: Identity) {
    const grace = setTimeout(() => {
      this.#graces.delete(user_id)
      this.#publish(user_id, username, false)
    }, GRACE_MS)
    grace.unref()
    this.#graces.set(user_id, grace)
  }

  /** Sends the presence of a user to those who watch it, if a server's signal changes it. */
  changed({ server, user_id, username, online }: Signal & { type: 'presence' }) {
    const entry = this.#online.get(user_id) ?? { username, servers: new Set() }
    const { servers } = entry
    const wasOnline = servers.size > 0
    if (online) {
      servers.add(server)
      this.#online.set(user_id, entry)
    } else if (servers.delete(server) && servers.size === 0) {
      this.#online.delete(user_id)
      this.#lastSeen.set(user_id, Date.now())
    }
    if (wasOnline === this.#online.has(user_id)) return
    for (const watcher of this.watches.watchersOf(user_id)) this.#send(watcher, user_id, username)
  }

  /** Counts the sockets of a server as closed. */
  serverEnded(server: string) {
    for (const [user_id, { username, servers }] of this.#online) {
      if (servers.has(server)) this.changed({ type: 'presence', server, user_id, username, online: false })
    }
  }

  stop() {
    for (const grace of this.#graces.values()) clearTimeout(grace)
    this.#graces.clear()
  }

  #send(connection: Subscriber, user_id: number, username: string) {
    const online = this.#online.has(user_id)
    const seen = online ? undefined : this.#lastSeen.get(user_id)
    const last_seen = seen === undefined ? undefined : timestamp(seen)
    connection.sendDroppable(presenceFrame({ username, online, last_seen }))
  }

  #publish(user_id: number, username: string, online: boolean) {
    this.#chat.bus.signal({ type: 'presence', server: this.#server, user_id, username, online })
  }
}

const presenceFrame = (presence: { username: string; online: boolean; last_seen?: string | undefined }) =>
  textFrame({ type: 'presence', ...presence })
