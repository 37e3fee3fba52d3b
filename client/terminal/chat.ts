#!/usr/bin/env node
import { Command } from 'commander'
import { WebSocket } from 'ws'
import { Messenger, MessengerError } from '../src/index.ts'
import { runInteractive } from './interactive.ts'
import { readPassword } from './password.ts'
import { sendLines } from './send-lines.ts'

/** Milliseconds between attempts. Shorter than the default of the client, because a person is waiting. */
const BACKOFF = { min: 250, max: 5000 }

const program = new Command('chat')
  .description('Sends and receives messages in a terminal, or sends each line of a pipe as a message.')
  .argument('<username>', 'your name; in the open mode of the server a new name creates an account')
  .option(
    '-s, --server <url>',
    'the address of the server',
    process.env.MESSENGER_URL ?? 'http://127.0.0.1:3000',
  )
  .option('-t, --to <name>', 'the receiver: the name of a user, or #3 for the conversation with the id 3')
  .option(
    '-i, --interactive',
    'read commands, also if the input is not a terminal',
    process.stdin.isTTY ?? false,
  )
  .addHelpText(
    'after',
    '\nReads the password of the account from MESSENGER_PASSWORD, or asks for it.\n\n  echo hi | chat alice --to bob',
  )

type Options = { server: string; to?: string; interactive: boolean }

const main = async () => {
  program.parse()
  const username = program.args[0] as string
  const { server: url, to, interactive } = program.opts<Options>()
  if (!interactive && to === undefined)
    program.error('error: the lines of a pipe have no receiver. Name one with --to.')
  const messenger = await connect({ url, username, password: process.env.MESSENGER_PASSWORD })
  try {
    await (interactive ? runInteractive(messenger, to) : sendLines(messenger, to as string))
  } finally {
    await messenger.close()
  }
}

type Account = { url: string; username: string; password?: string | undefined }

/** @returns a connected client. Asks for the password if the account has one. */
const connect = async (account: Account): Promise<Messenger> => {
  // `ws` can close a connection at once, even if the other side does not answer. The WebSocket of Node.js cannot.
  const messenger = new Messenger({ ...account, backoff: BACKOFF, WebSocket })
  reportConnection(messenger, account.url)
  try {
    await messenger.connect()
    return messenger
  } catch (error) {
    await messenger.close()
    if (!(error instanceof MessengerError) || error.code !== 'PASSWORD_REQUIRED') throw error
    return connect({ ...account, password: await readPassword(account.username) })
  }
}

/** Reports on the standard error output when the connection is lost, and when it is open again. */
const reportConnection = (messenger: Messenger, url: string) => {
  let isLost = false
  messenger.on('state', ({ state }) => {
    if (state === 'waiting' && !isLost) {
      isLost = true
      console.error(`(no connection to ${url}: your messages are sent when it is open again)`)
    } else if (state === 'online' && isLost) {
      isLost = false
      console.error('(connected)')
    }
  })
}

try {
  await main()
} catch (error) {
  /* c8 ignore next -- a defect of this program: Node.js prints the stack */
  if (!(error instanceof MessengerError)) throw error
  console.error(`${error.message} (${error.code})`)
  process.exitCode = 1
}
