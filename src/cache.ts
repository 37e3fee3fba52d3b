import { LRUCache } from 'lru-cache'

/**
 * Keeps what was used last, as far as the sizes of its entries sum up to `size`. Its room is taken when it is needed:
 * lru-cache's own `max` takes all of it at once, 20 ms and several MB for 100,000 entries.
 * @param ttl milliseconds that an entry lives, where it ends by itself
 * @param sizeOf the size of an entry, a whole number above 0: 1 unless entries differ much
 */
export const createCache = <K extends {}, V extends {}>(
  size: number,
  { ttl = 0, sizeOf = one }: { ttl?: number; sizeOf?: (value: V) => number } = {},
) => new LRUCache<K, V>({ maxSize: size, sizeCalculation: sizeOf, ttl })

const one = () => 1
