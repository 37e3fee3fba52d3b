#!/usr/bin/env node
// Must parse and run on any Node with modules, to say what is wrong there: better-sqlite3 crashes without a word
// below Node-API 10, and an older Node can't read .ts. So nothing is imported before the check.
import module from 'node:module'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 7)) {
  console.error(
    `messenger needs Node.js 24.7 or newer, but this is ${process.version}: plain \`npm ci\` brings a suitable Node.js ` +
      'with the project (then `npm start`), while --omit=optional leaves it out.',
  )
  process.exit(1)
}

// What was compiled once is there at the next start, which then takes half as long.
module.enableCompileCache?.()
await import('../src/server.ts')
