import { readFileSync, writeFileSync } from 'node:fs'
import Sqlite from 'better-sqlite3'

/** @returns the rows of a query, read over a separate connection. */
export const readRows = (path: string, sql: string): Record<string, unknown>[] => {
  const db = new Sqlite(path, { readonly: true })
  try {
    return db.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    db.close()
  }
}

/** Creates or changes a database file by SQL statements. */
export const writeSql = (path: string, sql: string) => {
  const db = new Sqlite(path)
  db.exec(sql)
  db.close()
}

/** Overwrites one name in the index of names. The file must be closed, and it can still be opened afterwards. */
export const damageIndex = (path: string, name: string) => {
  const [index] = readRows(path, "select rootpage from sqlite_schema where name = 'sqlite_autoindex_users_1'")
  const bytes = readFileSync(path)
  const at = bytes.indexOf(name, (Number(index?.rootpage) - 1) * PAGE)
  bytes.write('?', at)
  writeFileSync(path, bytes)
}

/** Bytes of a database page. */
const PAGE = 4096
