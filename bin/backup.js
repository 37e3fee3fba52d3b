#!/usr/bin/env node
await import('./check-node.js')

const { backup } = await import('../src/operator/backup.ts')
process.exitCode = await backup(process.argv.slice(2), process)
