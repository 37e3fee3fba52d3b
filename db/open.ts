import type { Database, Inspection, MovedTable, MoveOptions, WriterOptions } from './database.ts'
import { backupSqlite, restoreSqlite } from './dialects/sqlite/backup.ts'
import { filePath } from './dialects/sqlite/connection.ts'
import { inspectSqlite } from './dialects/sqlite/inspect.ts'
import { openSqlite } from './dialects/sqlite/open.ts'
import { openSource } from './dialects/sqlite/source.ts'
import { StorageError } from './errors.ts'
import { isPostgres } from './url.ts'

/**
 * Opens the database that `url` names. Creates it or migrates it as needed.
 * @param options `report` defaults to `console.error`, `nodeTimeoutMs` to 15 seconds
 * @throws StorageError `unusable` if this process cannot serve the database; the message is for the operator
 */
export const openDatabase = async (
  url: string,
  { maxQueue, report = console.error, connections = FEW, nodeTimeoutMs = 15_000 }: OpenOptions,
): Promise<Database> => {
  const options = { maxQueue, report, nodeTimeoutMs }
  return isPostgres(url)
    ? (await postgres()).openPostgres(url, options, connections)
    : openSqlite(url, options)
}

/** Loads the dialect with its driver where it is needed: a process on SQLite starts without it. */
const postgres = () => import('./dialects/postgres/index.ts')

type OpenOptions = Pick<WriterOptions, 'maxQueue'> &
  Partial<WriterOptions> & {
    /** The largest number of connections to PostgreSQL, at least 2. */
    connections?: number
  }

/** Connections of a command of the operator. */
const FEW = 4

/** @returns `Database.controlPath` of the database that `url` names */
export const controlPath = (url: string): string | undefined =>
  isPostgres(url) ? undefined : `${filePath(url)}.control`

/**
 * Opens a database for reading only. A server may have it open.
 * @throws StorageError if it does not exist or cannot be read
 */
export const inspectDatabase = async (url: string): Promise<Inspection> =>
  isPostgres(url) ? (await postgres()).inspectPostgres(url) : inspectSqlite(url)

/**
 * Copies a database, as it is at one moment, into a new file. A server may write to it meanwhile.
 * @throws StorageError if the copy fails; no file is left then
 */
export const backupDatabase = async (url: string, file: string): Promise<void> => {
  if (isPostgres(url)) throw new StorageError('unusable', BACKUP_POSTGRES)
  await backupSqlite(url, file)
}

const BACKUP_POSTGRES =
  'DATABASE_URL names a database in PostgreSQL, which has its own backup: pg_dump for one moment, or pg_basebackup and an archive of the WAL for every moment. See docs/OPERATIONS.md.'

/**
 * Replaces a database by a backup and keeps the replaced database under another name. Ends every token.
 * @param family the new token family of every account
 * @returns the path of the replaced database; undefined if there was none
 * @throws StorageError if a server has the database open, or if the file is not a backup
 */
export const restoreDatabase = async (
  url: string,
  file: string,
  family: string,
): Promise<string | undefined> => {
  if (isPostgres(url)) throw new StorageError('unusable', RESTORE_POSTGRES)
  return restoreSqlite(url, file, family)
}

const RESTORE_POSTGRES =
  'DATABASE_URL names a database in PostgreSQL. Stop every node, restore it with pg_restore or by point-in-time recovery, and start them: a cursor from after the backup then gets CURSOR_UNKNOWN, and its device reloads its conversations. Tokens stay valid; npm run admin -- revoke-tokens --everybody ends them. See docs/OPERATIONS.md.'

/**
 * Copies a stopped SQLite database into an empty PostgreSQL database, as it is: every id, number and epoch stays.
 * @throws StorageError `unusable` if the move is refused or fails; nothing is in the target then
 */
export const moveDatabase = async (
  url: string,
  target: string,
  options: MoveOptions,
): Promise<MovedTable[]> => {
  if (isPostgres(url)) {
    throw new StorageError(
      'unusable',
      'DATABASE_URL names a PostgreSQL database. It must name the SQLite database to move, such as sqlite:messenger.db',
    )
  }
  if (!isPostgres(target)) {
    throw new StorageError(
      'unusable',
      `The target "${target}" is not a PostgreSQL database. Name it as postgres://USER:PASSWORD@HOST/NAME`,
    )
  }
  const source = openSource(url, options.replaceNul)
  try {
    return await (await postgres()).movePostgres(source, target, options)
  } finally {
    source.close()
  }
}
