import type { OutboxEntry } from './types.ts'

/** The address of a server and the id of a user, as one string. A storage belongs to one owner. */
export type Owner = string

/** All that a storage has saved. */
export type StoredState = { owner: Owner | undefined; cursor: string | undefined; outbox: OutboxEntry[] }

/**
 * Saves the cursor of the stream and the messages that are not sent yet, so that they outlive the page or process.
 *
 * Each method may return a promise. The change is saved when the method returns, or when its promise resolves. A
 * method that throws or rejects reports that the change is not saved. The client does not wait for one call before it
 * makes the next: apply the changes in the order of the calls.
 */
export type MessengerStorage = {
  /**
   * Called once, before all other methods.
   * @returns the saved state; the entries of the outbox in the order in which they were put
   */
  load(): StoredState | Promise<StoredState>
  setOwner(owner: Owner): void | Promise<void>
  setCursor(cursor: string): void | Promise<void>
  /** Adds an entry at the end. Does nothing if there is an entry with the same `client_id`. */
  put(entry: OutboxEntry): void | Promise<void>
  /** Removes an entry. Does nothing if no entry has this `client_id`. */
  remove(client_id: string): void | Promise<void>
  /** Releases all resources. Called once, after all other calls have ended. */
  close?(): void | Promise<void>
}

/** @returns a storage in memory: its content is lost when the page or process ends */
export const memoryStorage = (): MessengerStorage => {
  const outbox = new Map<string, OutboxEntry>()
  let cursor: string | undefined
  let owner: Owner | undefined
  return {
    load: () => ({ owner, cursor, outbox: [...outbox.values()] }),
    setOwner(value) {
      owner = value
    },
    setCursor(value) {
      cursor = value
    },
    put(entry) {
      if (!outbox.has(entry.client_id)) outbox.set(entry.client_id, entry)
    },
    remove(client_id) {
      outbox.delete(client_id)
    },
  }
}

/** The interface of `localStorage` and `sessionStorage`. */
export type WebStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/**
 * @param area `localStorage`, or `sessionStorage` for a cursor and an outbox per tab.
 * @param prefix of the keys in `area`.
 * @returns a storage that outlives the page
 */
export const webStorage = (area: WebStorage, prefix = 'messenger'): MessengerStorage => {
  const entries = `${prefix}:outbox:`
  const keys = () => Array.from({ length: area.length }, (_, index) => area.key(index) as string)
  // Tabs with the same area may use the same number. Only the order within a tab matters.
  let last = 0
  const keyOf = new Map<string, string>()
  return {
    load() {
      const outbox = keys()
        .filter((key) => key.startsWith(entries))
        .toSorted()
        .map((key) => {
          const entry = JSON.parse(area.getItem(key) as string) as OutboxEntry
          keyOf.set(entry.client_id, key)
          // New entries must sort after the loaded ones, also if the clock went back.
          last = Number(key.slice(entries.length, entries.length + 16))
          return entry
        })
      return {
        owner: area.getItem(`${prefix}:owner`) ?? undefined,
        cursor: area.getItem(`${prefix}:cursor`) ?? undefined,
        outbox,
      }
    },
    setOwner: (owner) => area.setItem(`${prefix}:owner`, owner),
    setCursor: (cursor) => area.setItem(`${prefix}:cursor`, cursor),
    put(entry) {
      if (keyOf.has(entry.client_id)) return
      last = Math.max(last + 1, Date.now())
      const key = `${entries}${String(last).padStart(16, '0')}:${entry.client_id}`
      keyOf.set(entry.client_id, key)
      area.setItem(key, JSON.stringify(entry))
    },
    remove(client_id) {
      const key = keyOf.get(client_id)
      if (key === undefined) return
      area.removeItem(key)
      keyOf.delete(client_id)
    },
  }
}
