#!/usr/bin/env node
import './check-node.js'

await import('../src/operator/admin.ts')
