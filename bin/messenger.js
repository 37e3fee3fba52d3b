#!/usr/bin/env -S node --max-semi-space-size=16
import module from 'node:module'

await import('./check-node.js')
// The cache of compiled code saves 0.2 of the 0.7 s of later starts.
module.enableCompileCache?.()
await import('../src/signals.ts')
await import('../db/early.ts')
await import('../src/server.ts')
