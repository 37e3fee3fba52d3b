import { readFileSync, writeFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/** @returns what `sql` gives, read over a connection that nobody else uses. */
export const readRows = (path: string, sql: string): Record<string, unknown>[] => {
  const db = new Sqlite(path, { readonly: true })
  try {
    return db.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    db.close()
  }
}

/** Makes or changes a database file with statements of SQL. */
export const writeSql = (path: string, sql: string) => {
  const db = new Sqlite(path)
  db.exec(sql)
  db.close()
}

/** Overwrites a name in the page of the index of names: the file, which nobody has open, can still be read. */
export const damageIndex = (path: string, name: string) => {
  const [index] = readRows(path, "select rootpage from sqlite_schema where name = 'sqlite_autoindex_users_1'")
  const bytes = readFileSync(path)
  const at = bytes.indexOf(name, (Number(index?.rootpage) - 1) * PAGE)
  bytes.write('?', at)
  writeFileSync(path, bytes)
}

/** Bytes of a page of SQLite. */
const PAGE = 4096
