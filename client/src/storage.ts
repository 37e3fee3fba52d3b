import type { OutboxEntry } from './types.ts'

/** Whose things are kept: the server's address and the user. A storage keeps those of one. */
export type Owner = string

export type Kept = { owner: Owner | undefined; cursor: string | undefined; outbox: OutboxEntry[] }

/**
 * Keeps what must outlive a page or a process: where the stream goes on, and what was not sent yet. Calls come in the
 * order in which their effects must be seen; each is done when its promise is. `load` is called once, before all others.
 */
export type MessengerStorage = {
  /** @returns what was kept, the outbox in the order in which it was put */
  load(): Kept | Promise<Kept>
  setOwner(owner: Owner): void | Promise<void>
  setCursor(cursor: string): void | Promise<void>
  /** An entry with a `client_id` that is there already changes nothing. */
  put(entry: OutboxEntry): void | Promise<void>
  remove(client_id: string): void | Promise<void>
  /** Nothing of it may be in use after. */
  close?(): void | Promise<void>
}

/** @returns a storage that forgets when the page or the process ends. */
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

/** What `localStorage` and `sessionStorage` are. */
export type WebStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/**
 * @param area `localStorage`, or `sessionStorage` where each tab is to go on from its own place.
 * @param prefix what its keys begin with.
 * @returns a storage that outlives the page
 */
export const webStorage = (area: WebStorage, prefix = 'messenger'): MessengerStorage => {
  const entries = `${prefix}:outbox:`
  const keys = () => Array.from({ length: area.length }, (_, index) => area.key(index) as string)
  // Tabs that share the area number alike: only the order within one tab counts.
  let next = 0
  const keyOf = new Map<string, string>()
  return {
    load() {
      const outbox = keys()
        .filter((key) => key.startsWith(entries))
        .toSorted()
        .map((key) => {
          const entry = JSON.parse(area.getItem(key) as string) as OutboxEntry
          keyOf.set(entry.client_id, key)
          // What is put from now on comes after it, whatever the clock says.
          next = Number(key.slice(entries.length, entries.length + 16))
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
      next = Math.max(next + 1, Date.now())
      const key = `${entries}${String(next).padStart(16, '0')}:${entry.client_id}`
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
