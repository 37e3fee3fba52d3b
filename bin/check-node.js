// This file must run on any Node.js with modules, so that old versions print an error. Import nothing more before this check:
// better-sqlite3 crashes silently below Node-API 10, and an older Node.js can not load .ts files.
import { isSuitable } from './node-version.js'

if (!isSuitable) {
  console.error(
    `messenger needs Node.js 24.7 or newer, but this is ${process.version}. Run \`npm ci\` without --omit=optional: ` +
      'it installs a suitable Node.js, which `npm start` uses.',
  )
  process.exit(1)
}

// Node.js refuses .ts files in node_modules.
/* c8 ignore start -- only an installed package runs it, which coverage leaves out */
if (import.meta.url.includes('/node_modules/')) {
  console.error(
    'These are the sources of messenger, which do not run as an installed package. Run `npm run pack` in the repository, ' +
      'and install the file that it creates.',
  )
  process.exit(1)
}
/* c8 ignore stop */
