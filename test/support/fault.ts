import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Owner, startProcess } from './process.ts'

export type Fault =
  | 'full'
  | 'readonly'
  | 'fsync'
  | 'checkpoint'
  | 'slow'
  | 'clock'
  | 'clock ahead'
  | `lag ${number}`

/** Starts the real process with a disk, a clock and an event loop that fail on request. */
export const startFaulty = async (owner: Owner, folder: string, env: Record<string, string> = {}) => {
  const file = join(folder, 'fault')
  const server = await startProcess(owner, folder, {
    NODE_OPTIONS: `--import=${new URL('../faults/preload.ts', import.meta.url)}`,
    FAULT_FILE: file,
    RATE_LIMIT_SEND: '0',
    ...env,
  })
  return {
    ...server,
    begin: (fault: Fault) => writeFileSync(file, fault),
    end: () => rmSync(file, { force: true }),
  }
}
