import { existsSync, readFileSync, writeSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import Sqlite, { type Database } from 'better-sqlite3'

/**
 * Preloaded into a real server (`--import`). While the file FAULT_FILE is there a commit does not return: `hung`, or `stuck`
 * where nothing ends it, as in a system call; or fails as SQLite's does when the fsync fails, `unsynced`: all of it stands
 * in the file by then. With HANG_START the thread that writes does not even begin.
 */
const path = process.env.FAULT_FILE ?? ''
const exec: (this: Database, sql: string) => Database = Sqlite.prototype.exec
const pause = (ms?: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

Sqlite.prototype.exec = function (this: Database, sql: string) {
  if (sql !== 'commit') return exec.call(this, sql)
  const fault = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (fault === 'unsynced') {
    exec.call(this, sql)
    throw Object.assign(new Error('as the disk would have it'), { code: 'SQLITE_IOERR_FSYNC' })
  }
  if (fault === 'stuck') {
    this.prepare(
      'with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n',
    ).get()
  }
  while (existsSync(path)) pause(10)
  return exec.call(this, sql)
}

if (!isMainThread && process.env.HANG_START) {
  writeSync(1, 'starting\n')
  pause()
}
