import module from 'node:module'
import { Worker } from 'node:worker_threads'

const startThread = () =>
  new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: module.getCompileCacheDir(),
    // Options of the command line, such as the preloads of a test runner, are for the main thread: they double the start of this
    // one (1.0 against 0.5 s for a server under tap). NODE_OPTIONS apply to both.
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
