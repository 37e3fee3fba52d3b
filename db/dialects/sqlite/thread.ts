import module from 'node:module'
import { Worker } from 'node:worker_threads'

const startThread = () =>
  new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: module.getCompileCacheDir(),
    // What the command line preloads, such as a test runner, is for the main thread. It would double the time to start.
    execArgv: [],
  })

let early: Worker | undefined

/** Starts the writer's thread, so that it loads its modules (a third of a second) while the main thread loads its own. */
export const startEarly = () => {
  early = startThread()
  // The thread must not keep the process alive if the start fails before the database is opened.
  early.unref()
}

/** @returns the thread that `startEarly` started, at the first call; else a new one */
export const takeThread = (): Worker => {
  const thread = early ?? startThread()
  early = undefined
  thread.ref()
  return thread
}
