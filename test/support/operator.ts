import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { change } from '../../src/operator/change.ts'
import type { Arguments, Commands } from '../../src/operator/commands.ts'
import { admin } from '../../src/operator/admin.ts'
import { backup } from '../../src/operator/backup.ts'
import { restore } from '../../src/operator/restore.ts'
import { startProcess } from './process.ts'
import { databaseEnvironment, databaseUrl } from './test-database.ts'

/** The operator commands on the database in `folder`, run inside this process. */
export const operator = (folder: string, more: Record<string, string> = {}) => {
  const env = { DATABASE_URL: databaseUrl(folder), ...more }
  const config = loadConfig(env)
  return {
    url: env.DATABASE_URL,
    admin: (args: string[], input: string | Uint8Array = '') => runAs(admin, args, env, input),
    backup: (file: string) => runAs(backup, [file], env),
    restore: (file: string) => runAs(restore, [file], env),
    /** Runs one command of `admin` with parsed arguments. */
    change: <K extends keyof Commands>(command: K, args: Arguments<K> & object) =>
      change(config, command, args),
  }
}

/** Runs a command with captured streams. */
const runAs = async (
  command: typeof admin,
  args: string[],
  env: Record<string, string>,
  input: string | Uint8Array = '',
) => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const output = Promise.all([text(stdout), text(stderr)])
  const code = await command(args, { stdin: Readable.from([input]), stdout, stderr, env })
  stdout.end()
  stderr.end()
  const [out, err] = await output
  return { code, out, err }
}

/** Runs a script of bin/ in `folder`. @returns its output, and its exit code: null if a signal ended it */
export const runScript = async (
  t: Test,
  folder: string,
  script: 'admin' | 'backup' | 'restore',
  args: string[],
  input = '',
) => {
  const entry = fileURLToPath(new URL(`../../bin/${script}.js`, import.meta.url))
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: folder,
    env: { ...process.env, ...databaseEnvironment(folder) },
    timeout: 60_000,
  })
  t.teardown(() => child.kill('SIGKILL'))
  child.stdin.end(input)
  const [[code], out, err] = await Promise.all([
    once(child, 'exit') as Promise<[number | null]>,
    text(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}

/** Starts a server process in `folder` and stops it after `body`. */
export const serve = async (t: Test, folder: string, body: (url: string) => Promise<void>) => {
  const server = await startProcess(t, folder)
  await body(server.url)
  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 0 })
}
