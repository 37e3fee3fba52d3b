import { existsSync, readFileSync, writeSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import Sqlite, { type Database } from 'better-sqlite3'

/**
 * Preloaded into a real server (`--import`). The content of the file FAULT_FILE selects the fault of each commit: `hung` waits
 * until the file is removed; `stuck` runs forever and cannot be interrupted, as a system call; `unsynced` writes the commit
 * to the file and then fails as SQLite does after a failed fsync. With HANG_START the writer thread never starts.
 */
const path = process.env.FAULT_FILE ?? ''
const exec: (this: Database, sql: string) => Database = Sqlite.prototype.exec
const pause = (ms?: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

Sqlite.prototype.exec = function (this: Database, sql: string) {
  if (sql !== 'commit') return exec.call(this, sql)
  const fault = existsSync(path) ? readFileSync(path, 'utf8') : ''
  if (fault === 'unsynced') {
    exec.call(this, sql)
    throw Object.assign(new Error('injected fsync failure'), { code: 'SQLITE_IOERR_FSYNC' })
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
