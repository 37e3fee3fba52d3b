#!/usr/bin/env -S node --max-semi-space-size=16
// The command `messenger` of the package. Unlike the files that it imports later, it also runs on Node.js 20.
import { readFileSync } from 'node:fs'
import module from 'node:module'
import { isSuitable } from '../node-version.js'
import { runInOwnNode } from './own-node.js'

const USAGE = `Usage: messenger [command]

  start                serve; the default
  admin COMMAND        manage the database; admin --help lists the commands
  backup FILE          copy the database, also while the server runs
  restore FILE         replace the database by a backup
  move postgres://…    copy a SQLite database into PostgreSQL
  chat NAME            send and receive messages in the terminal; chat --help lists the options

  --help               print this text
  --version            print the version

Settings are environment variables, or lines of a file .env in the working directory. .env.example lists them.
`

const operator =
  (name, ...before) =>
  async (args) => {
    const commands = await import('./operator.js')
    process.exitCode = await commands[name]([...before, ...args], process)
  }

const commands = new Map([
  ['start', () => import('./server.js')],
  ['admin', operator('admin')],
  ['backup', operator('backup')],
  ['restore', operator('restore')],
  ['move', operator('admin', 'move')],
  ['chat', () => import('./chat.js')],
])

const run = async (command, args) => {
  if (!isSuitable) return runInOwnNode()
  // A process that was started by runInOwnNode ends with its parent, however the parent ends.
  process.channel?.unref()
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  // The cache of compiled code saves a third of the time of later starts.
  module.enableCompileCache()
  // The terminal client reads its arguments from here.
  process.argv = [...process.argv.slice(0, 2), ...args]
  await command(args)
}

const [name = 'start', ...args] = process.argv.slice(2)
const command = commands.get(name)
if (command) await run(command, args)
else if (name === '--help' || name === 'help') process.stdout.write(USAGE)
else if (name === '--version') {
  const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'))
  console.log(version)
} else {
  process.stderr.write(`There is no command "${name}".\n\n${USAGE}`)
  process.exitCode = 1
}
