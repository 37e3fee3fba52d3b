import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../support/process.ts'

/** A child process with its own event loop. It sends one value when it is ready, and its figures on `stop`. */
export type Helper<Begun, Figures> = {
  begun: Begun
  /** Starts the work of a helper that waits for it. */
  go(): Promise<unknown>
  stop(): Promise<Figures>
}

/**
 * Starts a helper process, so that the delay of the load's event loop does not count as that of the server.
 * @param name of a file in this folder
 * @throws an error if the helper ends before it is ready
 */
export const startHelper = async <Begun, Figures>(
  owner: Owner,
  name: string,
  job: object = {},
): Promise<Helper<Begun, Figures>> => {
  const path = fileURLToPath(new URL(name, import.meta.url))
  // Without the preloads of tap: coverage does not include the helper.
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = fork(path, [JSON.stringify(job)], { env, execArgv: [] })
  owner.teardown(() => child.kill('SIGKILL'))
  const message = async <T>(): Promise<T> => {
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with code ${String(code)}`)
    })
    return (await Promise.race([once(child, 'message'), ended]))[0] as T
  }
  const request = <T>(command: string): Promise<T> => {
    const reply = message<T>()
    child.send(command)
    return reply
  }
  return { begun: await message<Begun>(), go: () => request('go'), stop: () => request<Figures>('stop') }
}

/** Called by the helper: sends its first value. @returns a function that sends the figures, once the next command arrives */
export const begin = (begun: unknown): Promise<(figures: unknown) => void> => {
  // The parent process has ended.
  process.on('disconnect', () => process.exit())
  process.send?.(begun)
  return once(process, 'message').then(() => (figures) => process.send?.(figures, () => process.exit()))
}

/** Called by the helper. @returns the job that the parent passed */
export const job = (): unknown => JSON.parse(process.argv[2] as string)
