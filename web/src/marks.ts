import type { Messenger } from '@messenger/client'
import type { Store } from './store.ts'

/** Milliseconds in which changes of a mark become one request. */
const GATHER_MS = 200

type MarkChange = { delivered_up_to?: number; read_up_to?: number }

/** Sends this user's delivered and read marks. Keeps them until there is a connection. */
export class Marks {
  readonly #messenger: Messenger
  readonly #store: Store
  readonly #changes = new Map<number, MarkChange>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(messenger: Messenger, store: Store) {
    this.#messenger = messenger
    this.#store = store
  }

  advance(conversation_id: number, change: MarkChange) {
    this.#changes.set(conversation_id, { ...this.#changes.get(conversation_id), ...change })
    this.#timer ??= setTimeout(() => this.flush(), GATHER_MS)
  }

  flush() {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#store.isConnected) return
    for (const [id, change] of this.#changes) {
      // The server refuses marks in a group that this user has left. They are of no use there.
      this.#messenger.mark(id, change).catch(() => {})
    }
    this.#changes.clear()
  }
}
