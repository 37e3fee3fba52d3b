import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Owner } from './process.ts'

const { PATH, HOME } = process.env

/** @returns the path of a file in the repository */
export const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

/** Runs a command of an example with this environment only: outside tap, whose variables would measure its coverage. */
export const spawnExample = (t: Owner, cwd: string, env: Record<string, string>, command: string[]) => {
  const variables = Object.entries({ PATH, HOME, ...env }).map(([name, value]) => `${name}=${value}`)
  // env(1) replaces itself by the command, so that a signal reaches it.
  const child = spawn('env', ['-i', ...variables, ...command], { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
  // SIGTERM, at which the command that starts others ends them.
  t.teardown(() => child.kill('SIGTERM'))
  let output = ''
  let noticed = Promise.withResolvers<void>()
  const read = (chunk: Buffer) => {
    output += chunk.toString()
    noticed.resolve()
    noticed = Promise.withResolvers()
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  // The streams end after the process, so that the output is complete.
  const exited = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    exited,
    output: () => output,
    /** Waits until the output has a text. @throws an error with the output if the process ends before */
    async until(text: string) {
      let hasEnded = false
      const ended = exited.finally(() => {
        hasEnded = true
      })
      while (!output.includes(text)) {
        if (hasEnded) throw new Error(`The example ended without "${text}": ${output}`)
        await Promise.race([noticed.promise, ended])
      }
    },
    async kill(signal: NodeJS.Signals = 'SIGKILL') {
      child.kill(signal)
      await exited
    },
  }
}

/** Starts a script of examples/. */
export const startExample = (t: Owner, path: string, cwd: string, env: Record<string, string>) =>
  spawnExample(t, cwd, env, [process.execPath, inRepository(`examples/${path}`)])
export type Example = ReturnType<typeof startExample>
