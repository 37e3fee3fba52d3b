import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const { PATH, HOME } = process.env

/**
 * Runs Node.js outside tap: coverage does not include what the process loads. tap adds its variables to the environment of every
 * child process, so env(1) removes them.
 */
export const runOutsideTap = (args: readonly string[]) =>
  promisify(execFile)('env', ['-i', `PATH=${PATH}`, `HOME=${HOME}`, process.execPath, ...args])
