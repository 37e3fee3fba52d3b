import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Owner } from '../support/process.ts'

/** A process of a run's own: it says one thing when it has begun, and its figures when it is told to stop. */
export type Helper<Begun, Figures> = {
  begun: Begun
  /** Has one that waits for it go on. */
  go(): Promise<unknown>
  stop(): Promise<Figures>
}

/**
 * Starts a helper, so that what the load takes from its own event loop is not counted as the server's.
 * @param name of a file in this folder
 * @throws when it ends before it has begun
 */
export const startHelper = async <Begun, Figures>(
  owner: Owner,
  name: string,
  job: object = {},
): Promise<Helper<Begun, Figures>> => {
  const path = fileURLToPath(new URL(name, import.meta.url))
  // Without what the tests preload: nothing of it is covered.
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = fork(path, [JSON.stringify(job)], { env, execArgv: [] })
  owner.teardown(() => child.kill('SIGKILL'))
  const message = async <T>(): Promise<T> => {
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${name} ended with ${String(code)}`)
    })
    return (await Promise.race([once(child, 'message'), ended]))[0] as T
  }
  const tell = <T>(what: string): Promise<T> => {
    const answer = message<T>()
    child.send(what)
    return answer
  }
  return { begun: await message<Begun>(), go: () => tell('go'), stop: () => tell<Figures>('stop') }
}

/** The helper's side: says that it has begun. @returns what says the figures, once it is told to stop. */
export const begin = (begun: unknown): Promise<(figures: unknown) => void> => {
  // Whoever wanted the figures is gone.
  process.on('disconnect', () => process.exit())
  process.send?.(begun)
  return once(process, 'message').then(() => (figures) => process.send?.(figures, () => process.exit()))
}

/** @returns what a helper was started with. */
export const job = (): unknown => JSON.parse(process.argv[2] as string)
