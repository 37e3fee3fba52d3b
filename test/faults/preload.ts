import { existsSync, readFileSync, writeSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import Sqlite, { type Database } from 'better-sqlite3'

/**
 * Preloaded into a real server (`--import`). The content of the file FAULT_FILE selects a fault from the next transaction on:
 * - `full` and `readonly` use limits of SQLite, because root ignores file modes and an open file stays writable.
 * - `fsync` fails each commit, `slow` delays it by 300 ms, and `checkpoint` fails each checkpoint.
 * - `hung` delays a commit until the file is removed. `stuck` makes it run forever without a way to interrupt it, as a system
 *   call. `unsynced` writes the commit to the file and then fails as SQLite does after a failed fsync.
 * - `clock` sets the clock back one hour, and `clock ahead` forward two days.
 * - `lag 150` delays each turn of the main event loop by 150 ms.
 * With HANG_START the writer thread never starts.
 */
const path = process.env.FAULT_FILE ?? ''
const exec: (this: Database, sql: string) => Database = Sqlite.prototype.exec

const isNow = (fault: string) => existsSync(path) && readFileSync(path, 'utf8').trim() === fault

const now = Date.now
Date.now = () => now() + (isNow('clock') ? -3_600_000 : isNow('clock ahead') ? 2 * 86_400_000 : 0)

const sleep = (ms?: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

const lag = () => {
  const [, ms] = /^lag (\d+)/.exec(existsSync(path) ? readFileSync(path, 'utf8') : '') ?? []
  if (!ms) {
    setTimeout(lag, 50).unref()
    return
  }
  sleep(Number(ms))
  // In the next turn, because an idle turn between would count as one without lag.
  setImmediate(lag)
}
if (isMainThread) lag()

const pragma = Sqlite.prototype.pragma

Sqlite.prototype.pragma = function (this: Database, sql: string, options) {
  if (/^wal_checkpoint\((?!NOOP)/.test(sql) && isNow('checkpoint')) failSync()
  return pragma.call(this, sql, options)
}

const failSync = () => {
  throw Object.assign(new Error('injected fsync failure'), { code: 'SQLITE_IOERR_FSYNC' })
}

const onCommit: Record<string, (db: Database) => void> = {
  fsync: failSync,
  slow: () => sleep(300),
  hung() {
    while (existsSync(path)) sleep(10)
  },
  stuck: (db) =>
    db.prepare('with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n').get(),
  unsynced(db) {
    exec.call(db, 'commit')
    failSync()
  },
}

Sqlite.prototype.exec = function (this: Database, sql: string) {
  const fault = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
  if (sql === 'begin immediate') {
    this.pragma(`max_page_count = ${fault === 'full' ? 1 : 4_294_967_294}`)
    this.pragma(`query_only = ${fault === 'readonly' ? 1 : 0}`)
  }
  if (sql === 'commit') onCommit[fault]?.(this)
  return exec.call(this, sql)
}

if (!isMainThread && process.env.HANG_START) {
  writeSync(1, 'starting\n')
  sleep()
}
