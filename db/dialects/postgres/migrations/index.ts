import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { StorageError } from '../../../errors.ts'
import { createKysely } from '../kysely.ts'
import * as conversations from './0001-conversations.ts'
import * as platform from './0002-platform.ts'
import * as tokenEras from './0003-token-eras.ts'
import * as profileTimes from './0004-profile-times.ts'

/**
 * Every change of the schema, in order. A released migration and its name never change.
 *
 * Nodes of two versions run side by side during an upgrade, so a migration only adds: tables, indexes, and columns that may be null
 * or have a default. A later version removes what is no longer used, by a contraction. `0007-contract-0005-titles` runs beside nodes
 * that know migration 0005, because they do not use what it removes. Older nodes refuse to start. If the version that stopped using
 * it has no other migration, it gets an empty one, for the contraction to name.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001-conversations': conversations,
  '0002-platform': platform,
  '0003-token-eras': tokenEras,
  '0004-profile-times': profileTimes,
}

/** @returns the number of the migration that a node must know to run on a schema with this migration; undefined if none */
export const contracts = (name: string): string | undefined => /^\d{4}-contract-(\d{4})-/.exec(name)?.[1]

/** The migration that every database of this server has. */
export const FIRST = '0001-conversations'

/**
 * Brings the schema up to date, in one transaction. Of several nodes that start at once one migrates, and the others wait.
 * Leaves a newer schema as it is if it only adds to this one.
 * @param known the migrations of this version
 * @throws StorageError `unusable` if a newer version removed what this one uses; another error if a migration fails. The database
 *   is then unchanged.
 */
export const migrate = async (url: string, known = migrations) => {
  const db = createKysely(url)
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => known } })
    const { error } = await migrator.migrateToLatest()
    if (!error) return
    if (!(error as Error).message.includes('corrupted migrations')) throw error
    const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db)
    const obstacle = findObstacle(
      rows.map(({ name }) => name),
      Object.keys(known),
    )
    if (obstacle !== undefined) {
      throw new StorageError(
        'unusable',
        `The database was written by a newer version of the server, which this version can't run beside: ${obstacle}. Start the newer version.`,
        error,
      )
    }
  } finally {
    await db.destroy()
  }
}

/** @returns the migration for which this version can't use a database; undefined if the others only add */
const findObstacle = (executed: readonly string[], known: readonly string[]): string | undefined =>
  known.find((name) => !executed.includes(name)) ??
  executed.find((name) => {
    const needed = contracts(name)
    return !known.includes(name) && needed !== undefined && !known.some((own) => own.startsWith(`${needed}-`))
  })
