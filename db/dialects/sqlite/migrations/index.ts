import type { Database } from 'better-sqlite3'
import { type Migration, Migrator } from 'kysely/migration'
import { createKysely } from '../kysely.ts'
import { StorageError } from '../../../errors.ts'
import * as conversations from './0001-conversations.ts'
import * as coveredCounts from './0002-covered-counts.ts'
import * as revocationsByEnd from './0003-revocations-by-end.ts'
import * as removals from './0004-removals.ts'
import * as groupKeys from './0005-group-keys.ts'
import * as boundedReads from './0006-bounded-reads.ts'
import * as announcedAt from './0007-announced-at.ts'
import * as platform from './0008-platform.ts'
import * as tokenEras from './0009-token-eras.ts'
import * as profileTimes from './0010-profile-times.ts'

/** Every change of the schema, in order. A released migration and its name never change. */
const migrations: Record<string, Migration> = {
  '0001-conversations': conversations,
  '0002-covered-counts': coveredCounts,
  '0003-revocations-by-end': revocationsByEnd,
  '0004-removals': removals,
  '0005-group-keys': groupKeys,
  '0006-bounded-reads': boundedReads,
  '0007-announced-at': announcedAt,
  '0008-platform': platform,
  '0009-token-eras': tokenEras,
  '0010-profile-times': profileTimes,
}

/**
 * Brings the schema of `db` up to date, in one transaction.
 * @throws StorageError `unusable` if a migration fails; the file is then unchanged, the tables of the migrator included
 */
export const migrate = async (db: Database) => {
  conversations.defineFunctions(db)
  await createKysely(db)
    .transaction()
    .execute(async (transaction) => {
      const migrator = new Migrator({ db: transaction, provider: { getMigrations: async () => migrations } })
      const { error } = await migrator.migrateToLatest()
      if (error) throw unusable(error)
    })
}

/** @returns whether the schema of `db` is that of this version. Changes nothing. */
export const isCurrent = (db: Database): boolean => {
  const names = db.prepare('select name from kysely_migration order by name').pluck().all()
  return names.join() === Object.keys(migrations).join()
}

const unusable = (error: unknown) => {
  const { message } = error as Error
  return new StorageError(
    'unusable',
    message.includes('corrupted migrations')
      ? `The database was written by a newer version of the server: ${message}`
      : `The tables of the database can't be created or changed. The database is unchanged: ${message}`,
    error,
  )
}
