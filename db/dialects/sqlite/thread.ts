import module from 'node:module'
import { Worker } from 'node:worker_threads'

const startThread = () =>
  new Worker(new URL('./worker.ts', import.meta.url), { workerData: module.getCompileCacheDir() })

let early: Worker | undefined

/** Has the writer's thread load its modules, a third of a second, while the main one still loads its own. */
export const startEarly = () => {
  early = startThread()
  // A start that fails before the database is opened ends without it.
  early.unref()
}

/** @returns the thread that was started early, for the first who asks, else a new one. */
export const takeThread = (): Worker => {
  const thread = early ?? startThread()
  early = undefined
  thread.ref()
  return thread
}
