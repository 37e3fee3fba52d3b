import { type Migration, Migrator } from 'kysely/migration'
import { StorageError } from '../../../errors.ts'
import { createKysely } from '../kysely.ts'
import * as conversations from './0001-conversations.ts'

/**
 * Every change of the schema, in order. A released migration and its name never change. A migration only adds: nodes of the version
 * before it run on, beside nodes of its own version. What is no longer used goes one version later.
 */
const migrations: Record<string, Migration> = {
  '0001-conversations': conversations,
}

/**
 * Brings the schema up to date, in one transaction. Of several nodes that start at once one migrates, and the others wait.
 * @throws StorageError `unusable` if a migration fails; the database is then unchanged
 */
export const migrate = async (url: string) => {
  const db = createKysely(url)
  try {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
    const { error } = await migrator.migrateToLatest()
    if (error) throw error
  } catch (error) {
    throw (error as Error).message.includes('corrupted migrations')
      ? new StorageError(
          'unusable',
          `The database was written by a newer version of the server: ${(error as Error).message}`,
          error,
        )
      : error
  } finally {
    await db.destroy()
  }
}
