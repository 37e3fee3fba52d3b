import module from 'node:module'
import { workerData } from 'node:worker_threads'

// The compile cache speeds up the next start. A thread must enable it itself, before it loads other modules.
if (workerData) module.enableCompileCache(workerData)
await import('./worker-loop.ts')
