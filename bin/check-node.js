// Must parse and run on any Node with modules, to say what is wrong there: better-sqlite3 crashes without a word
// below Node-API 10, and an older Node can't read .ts. So nothing is imported before this check.
const [major, minor] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 7)) {
  console.error(
    `messenger needs Node.js 24.7 or newer, but this is ${process.version}: plain \`npm ci\` brings a suitable Node.js ` +
      'with the project (then `npm start`), while --omit=optional leaves it out.',
  )
  process.exit(1)
}
