#!/usr/bin/env -S node --max-semi-space-size=16
import module from 'node:module'

await import('./check-node.js')
// What was compiled once is there at the next start, which then takes half as long.
module.enableCompileCache?.()
await import('../src/signals.ts')
await import('../db/early.ts')
await import('../src/server.ts')
