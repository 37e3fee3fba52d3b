import { existsSync, statSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { StorageError } from '../../errors.ts'
import type { Inspection } from '../../database.ts'
import { filePath, openForReading } from './connection.ts'
import { createReader } from './statements.ts'

/** Opens a database of this server for reading only: without a lock, a new epoch or a migration. */
export const inspectSqlite = async (url: string): Promise<Inspection> => {
  const path = filePath(url)
  const db = openOurs(path)
  return {
    reader: createReader(db),
    bytes: [path, `${path}-wal`]
      .filter((file) => existsSync(file))
      .reduce((bytes, file) => bytes + statSync(file).size, 0),
    check: async () => findDamage(db),
    close: async () => void db.close(),
  }
}

/** @throws StorageError `unusable` if the file does not exist, or this server neither created it nor took it over */
export const openOurs = (path: string): Database => {
  if (!existsSync(path)) throw new StorageError('unusable', `There is no database ${path}.`)
  const db = openForReading(path)
  try {
    if (db.prepare("select 1 from sqlite_schema where name = 'epochs'").get()) return db
    throw new StorageError(
      'unusable',
      `${path} is not a database of this server. Start the server with it first.`,
    )
  } catch (error) {
    db.close()
    throw StorageError.from(error, path)
  }
}

/** @returns the damage that SQLite finds in the file, and rows whose foreign key points nowhere */
export const findDamage = (db: Database): string[] => {
  const broken = db.pragma('integrity_check') as { integrity_check: string }[]
  const orphans = db.pragma('foreign_key_check') as { table: string; rowid: number; parent: string }[]
  return [
    ...broken.map((row) => row.integrity_check).filter((line) => line !== 'ok'),
    ...orphans.map(({ table, rowid, parent }) => `row ${rowid} of ${table} has no row in ${parent}`),
  ]
}
