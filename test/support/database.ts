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
