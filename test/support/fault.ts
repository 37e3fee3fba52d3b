import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Owner, startProcess } from './process.ts'

export type Fault =
  | 'full'
  | 'readonly'
  | 'fsync'
  | 'checkpoint'
  | 'slow'
  | 'hung'
  | 'stuck'
  | 'unsynced'
  | 'clock'
  | 'clock ahead'
  | `lag ${number}`

/** The Node option that loads the faults into a process. */
export const FAULTS = `--import=${new URL('../faults/preload.ts', import.meta.url)}`

/** Starts the real process with a disk, a clock and an event loop that fail on request. */
export const startFaulty = async (owner: Owner, folder: string, env: Record<string, string> = {}) => {
  const file = join(folder, 'fault')
  const server = await startProcess(owner, folder, {
    NODE_OPTIONS: FAULTS,
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
