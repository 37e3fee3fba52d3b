import type pg from 'pg'
import type { Caches, Counters } from '../../transaction.ts'
import type { Batch } from '../../writer.ts'
import type { ColumnTypes } from './sets.ts'

/** The writing connection of a node, and what the node knows of the database. */
export type Session = {
  client: pg.Client
  types: ColumnTypes
  /** Identifies this process among the nodes of the database. */
  node: string
  caches: Caches
  /** The last number and ids that this node knows. */
  head: Counters
  /** Seconds that this node has waited for the lock. */
  waited: { seconds: number }
  /** Commits of other nodes up to `head` that this node has not published yet, in order. An empty batch marks a gap before it. */
  news: Batch[]
}

/** Waits for the lock that every writing transaction takes: one node writes at a time, in the order of the numbers. */
export const takeLock = (client: pg.ClientBase) => client.query('select pg_advisory_xact_lock(7226901)')

/**
 * Awaits every query of a round trip, so that none is left when the next one begins.
 * @throws the first error
 */
export const all = async <T extends readonly unknown[]>(
  queries: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> => {
  await Promise.allSettled(queries)
  return Promise.all(queries)
}
