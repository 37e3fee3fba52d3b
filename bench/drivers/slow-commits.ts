/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import Sqlite from 'better-sqlite3'

/** Preloaded by `--import` where strace is missing: delays each commit by COMMIT_DELAY_MS in the committing thread. */
const { exec } = Sqlite.prototype
const clock = new Int32Array(new SharedArrayBuffer(4))
Sqlite.prototype.exec = function (sql) {
  const result = exec.call(this, sql)
  if (/^\s*commit/i.test(sql)) Atomics.wait(clock, 0, 0, Number(process.env.COMMIT_DELAY_MS))
  return result
}
