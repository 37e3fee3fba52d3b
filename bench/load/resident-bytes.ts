/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** @returns bytes of memory of the process `pid` that are resident now. */
export const residentBytes = (pid: number): number => {
  const path = `/proc/${pid}/status`
  const kilobytes = existsSync(path)
    ? /VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
  return Number(kilobytes) * 1024
}
