import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** @returns the resident memory of a process in bytes, or 0 if the process does not exist. */
export const residentBytes = (pid: number): number => {
  try {
    const path = `/proc/${pid}/status`
    const kilobytes = existsSync('/proc/self/status')
      ? /VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
    return Number(kilobytes ?? 0) * 1024
  } catch {
    return 0
  }
}
