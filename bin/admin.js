#!/usr/bin/env node
await import('./check-node.js')

const { admin } = await import('../src/operator/admin.ts')
process.exitCode = await admin(process.argv.slice(2), process)
