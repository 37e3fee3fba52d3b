import { randomBytes } from 'node:crypto'
import { type Epoch, type Head, toHead } from '../../epochs.ts'
import * as counter from '../../queries/counter.ts'
import type { Reader } from '../../query.ts'
import { type Session, takeLock } from './session.ts'

/**
 * Names the history that the database server writes: it changes when the server restarts, when a standby is promoted, and in a
 * restored copy. Numbers of two incarnations may belong to different changes.
 */
const INCARNATION = `
  (select system_identifier from pg_control_system())
  || ' ' || (select oid from pg_database where datname = current_database())
  || ' ' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
  || ' ' || extract(epoch from pg_postmaster_start_time())`

/**
 * Begins an epoch if the database has a new incarnation. Runs once for each connection, because a connection does not outlive
 * an incarnation.
 * @returns all epochs, oldest first
 */
export const beginEpoch = async ({ client }: Session): Promise<Epoch[]> => {
  await client.query('begin')
  try {
    await takeLock(client)
    const name = randomBytes(6).toString('base64url')
    await client.query(
      `insert into epochs (name, first, incarnation)
       select $1, (select last from counter) + 1, now.incarnation
       from (select ${INCARNATION} as incarnation) as now
       where now.incarnation is distinct from (select incarnation from epochs order by number desc limit 1)`,
      [name],
    )
    const { rows } = await client.query<Epoch>('select name, first from epochs order by number')
    await client.query('commit')
    return rows
    /* c8 ignore next 4 -- a race: the connection is lost between two statements */
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

type Position = NonNullable<(typeof counter.position)['row']>

/**
 * @returns a function that reads the newest change and the epochs. It reads all epochs only if it does not know the newest one:
 *   the names in cursors, which clients may forge, cause no reads.
 */
export const createHead = (reader: Reader): (() => Promise<Head>) => {
  let known: Head | undefined
  return async () => {
    const { last, epoch } = (await reader.get(counter.position, {})) as Position
    if (known?.epoch === epoch) return { ...known, last }
    known = await reader.snapshot(async (read) => {
      const position = (await read.get(counter.position, {})) as Position
      return toHead(position.last, await read.all(counter.epochs, {}))
    })
    return known
  }
}
