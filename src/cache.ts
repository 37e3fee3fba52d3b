import { LRUCache } from 'lru-cache'

/**
 * Keeps the `entries` that were used last. Its room is taken when it is needed: lru-cache's own `max` takes all of it at
 * once, 20 ms and several MB for 100,000 entries.
 * @param ttl milliseconds that an entry lives, where it ends by itself
 */
export const createCache = <K extends {}, V extends {}>(entries: number, ttl = 0) =>
  new LRUCache<K, V>({ maxSize: entries, sizeCalculation: one, ttl })

const one = () => 1
