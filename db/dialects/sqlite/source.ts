import type { Database } from 'better-sqlite3'
import type { Source, SourceColumn, SourceTable } from '../../database.ts'
import { StorageError } from '../../errors.ts'
import * as counter from '../../queries/counter.ts'
import { filePath } from './connection.ts'
import { findDamage, openOurs } from './inspect.ts'
import { lockFile } from './lock.ts'
import { isCurrent } from './migrations/index.ts'
import { createStatements } from './statements.ts'
import { createTexts } from './texts.ts'

/**
 * Opens a stopped database for a move: for reading only, with the lock of its server.
 * @param replaceNul whether the rows have U+FFFD for U+0000; if false, a database with U+0000 is refused
 */
export const openSource = (url: string, replaceNul: boolean): Source => {
  const path = filePath(url)
  const db = openOurs(path)
  let unlock = () => {}
  const close = () => {
    db.close()
    unlock()
  }
  try {
    unlock = lockFile(path)
    if (!isCurrent(db)) {
      throw new StorageError(
        'unusable',
        `${path} has the schema of another version of the server. Start this version with it once, stop it, and repeat the move.`,
      )
    }
    const [damage] = findDamage(db)
    if (damage !== undefined) throw new StorageError('unusable', `${path} is damaged: ${damage}`)
    const found = tablesOf(db)
    if (!replaceNul) for (const table of found) refuseNul(db, table)
    const tables = replaceNul
      ? found.map((table) => ({ ...table, rows: () => withoutNul(table.rows()) }))
      : found
    const [counters] = createStatements(db).all(counter.counters, {})
    return {
      path,
      tables,
      counters: counters as NonNullable<typeof counters>,
      texts: createTexts(path),
      close,
    }
  } catch (error) {
    close()
    throw StorageError.from(error, path)
  }
}

/** The tables and columns come from the schema itself, so that a later migration is moved too. */
const tablesOf = (db: Database): SourceTable[] => {
  const names = db
    .prepare(`
      select name from sqlite_schema
      where type = 'table' and name <> 'counter' and name not like 'kysely%' and name not like 'sqlite%'
      order by name`)
    .pluck()
    .all() as string[]
  return names.map((name) => {
    const select = (rest: string) =>
      db
        .prepare(`select name, lower(type) as type from pragma_table_info(?) ${rest}`)
        .all(name) as SourceColumn[]
    const [columns, key] = [select(''), select('where pk > 0 order by pk')]
    const listed = columns.map((column) =>
      column.type === 'blob'
        ? // The hex of null is an empty text.
          `iif("${column.name}" is null, null, '\\x' || lower(hex("${column.name}"))) as "${column.name}"`
        : `"${column.name}"`,
    )
    const order = key.map((column) => `"${column.name}"`).join(', ')
    return {
      name,
      columns,
      key,
      count: db.prepare(`select count(*) from "${name}"`).pluck().get() as number,
      rows: () =>
        db
          .prepare(`select ${listed.join(', ')} from "${name}" order by ${order}`)
          .iterate() as Iterable<object>,
    }
  })
}

/** PostgreSQL stores no U+0000. The first server accepted it. */
const refuseNul = (db: Database, { name, columns }: SourceTable) => {
  for (const column of columns.filter(({ type }) => type === 'text')) {
    const query = db.prepare(`select count(*) from "${name}" where instr("${column.name}", char(0)) > 0`)
    const count = query.pluck().get() as number
    if (count > 0) {
      throw new StorageError(
        'unusable',
        `PostgreSQL can't store the character U+0000, which is in ${column.name} of ${count} rows of ${name}. Repeat the move with --replace-nul to store U+FFFD for it.`,
      )
    }
  }
}

function* withoutNul(rows: Iterable<object>): Generator<object> {
  for (const row of rows) {
    yield Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value,
      ]),
    )
  }
}
