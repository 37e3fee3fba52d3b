#!/usr/bin/env node
import { Command } from 'commander'
import { WebSocket } from 'ws'
import { Messenger, MessengerError } from '../src/index.ts'
import { converse } from './converse.ts'
import { sendLines } from './lines.ts'
import { askPassword } from './password.ts'
import { showConnection } from './show.ts'

/** Milliseconds between attempts: somebody is waiting. */
const BACKOFF = { min: 250, max: 5000 }

const program = new Command('chat')
  .description('Talks to a Messenger server from a terminal, or sends what comes through a pipe.')
  .argument('<username>', 'who you are; in the open mode a new name makes an account')
  .option(
    '-s, --server <url>',
    'the address of the server',
    process.env.MESSENGER_URL ?? 'http://127.0.0.1:3000',
  )
  .option(
    '-t, --to <name>',
    'whom to write to: the name of a person, or #3 for the conversation with that id',
  )
  .option(
    '-i, --interactive',
    'take commands even where the input is no terminal',
    process.stdin.isTTY ?? false,
  )
  .addHelpText(
    'after',
    '\nThe password is asked for where one is needed; MESSENGER_PASSWORD gives it without asking.\n\n  echo hi | chat alice --to bob',
  )

type Options = { server: string; to?: string; interactive: boolean }

const main = async () => {
  program.parse()
  const username = program.args[0] as string
  const { server: url, to, interactive } = program.opts<Options>()
  if (!interactive && to === undefined) program.error('error: what comes through a pipe needs --to')
  const messenger = await connect({ url, username, password: process.env.MESSENGER_PASSWORD })
  try {
    await (interactive ? converse(messenger, to) : sendLines(messenger, to as string))
  } finally {
    await messenger.close()
  }
}

type Account = { url: string; username: string; password?: string | undefined }

/** @returns a connected client; asks for the password where the account has one. */
const connect = async (account: Account): Promise<Messenger> => {
  // Unlike Node's own, that of ws can be ended at once when the other side is silent.
  const messenger = new Messenger({ ...account, backoff: BACKOFF, WebSocket })
  showConnection(messenger, account.url)
  try {
    await messenger.connect()
    return messenger
  } catch (error) {
    await messenger.close()
    if (!(error instanceof MessengerError) || error.code !== 'PASSWORD_REQUIRED') throw error
    return connect({ ...account, password: await askPassword(account.username) })
  }
}

try {
  await main()
} catch (error) {
  /* c8 ignore next -- a mistake of ours is shown whole */
  if (!(error instanceof MessengerError)) throw error
  console.error(`${error.message} (${error.code})`)
  process.exitCode = 1
}
