import module from 'node:module'
import { workerData } from 'node:worker_threads'

// What was compiled once is there at the next start; a thread must ask for it anew, before it loads anything.
if (workerData) module.enableCompileCache(workerData)
await import('./worker-loop.ts')
