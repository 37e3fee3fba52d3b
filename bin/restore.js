#!/usr/bin/env node
await import('./check-node.js')

const { restore } = await import('../src/operator/restore.ts')
process.exitCode = await restore(process.argv.slice(2), process)
