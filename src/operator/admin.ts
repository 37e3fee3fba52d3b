import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { inspectDatabase } from '../../db/open.ts'
import { countAll, listAccounts } from '../chat/administration.ts'
import { change } from './change.ts'
import { runForOperator, settings } from './settings.ts'

/** What an operator may do. Looking needs no server; changes are made by the one that runs, or else at once. */
const program = new Command('npm run admin --')
  .description('Looks after the database that DATABASE_URL names, whether the server runs or not.')
  .showHelpAfterError()

program
  .command('state')
  .description('how much there is of everything')
  .option('--check', 'read all of it, and say what is damaged')
  .action(async ({ check }: { check?: true }) => {
    const { DATABASE_URL } = settings()
    const database = inspectDatabase(DATABASE_URL)
    try {
      const damage = check && database.check()
      console.table({
        database: DATABASE_URL,
        bytes: database.bytes,
        ...(await countAll(database.reader)),
        ...(damage && { damage: damage.length === 0 ? 'none' : damage.join('; ') }),
      })
      if (damage && damage.length > 0) process.exitCode = 1
    } finally {
      database.close()
    }
  })

program
  .command('users')
  .description('accounts by name, those that were removed too')
  .option('--prefix <text>', 'only names that begin so', '')
  .option('--limit <count>', 'as many at most', Number, 100)
  .action(async (options: { prefix: string; limit: number }) => {
    const database = inspectDatabase(settings().DATABASE_URL)
    try {
      const accounts = await listAccounts(database.reader, options)
      console.table(Object.fromEntries(accounts.map(({ username, ...account }) => [username, account])))
    } finally {
      database.close()
    }
  })

program
  .command('remove-user <name>')
  .description('end its tokens, close its sockets, leave its groups; the name stays taken, the messages stay')
  .action(async (username: string) => {
    await change(settings(), 'remove-user', { username })
    console.log(`${username} is removed.`)
  })

program
  .command('set-password <name>')
  .description('set or reset a password, which is asked for or read from the input; tokens end')
  .option('--generate', 'make one, and show it')
  .action(async (username: string, { generate }: { generate?: true }) => {
    const password = generate ? randomBytes(15).toString('base64url') : await askPassword()
    await change(settings(), 'set-password', { username, password })
    console.log(generate ? `The password of ${username} is ${password}` : `${username} has a new password.`)
  })

program
  .command('revoke-tokens [name]')
  .description('end every token of an account')
  .option('--everybody', 'of all accounts')
  .action(async (username: string | undefined, { everybody }: { everybody?: true }) => {
    if ((username === undefined) === (everybody === undefined)) program.error('either a name or --everybody')
    if (username === undefined) await change(settings(), 'revoke-every-token', {})
    else await change(settings(), 'revoke-tokens', { username })
    console.log('The tokens have ended.')
  })

program
  .command('rotate-secret')
  .description('sign tokens with a new secret; what the last one signed holds until it ends by itself')
  .option('--urgent', 'the last one has leaked: what it signed ends now')
  .action(async ({ urgent = false }: { urgent?: boolean }) => {
    await change(settings(), 'rotate-secret', { urgent })
    console.log(
      `Tokens are signed with a new secret; those of the last one ${urgent ? 'have ended' : 'hold on'}.`,
    )
  })

/** A password never stands in the list of processes: it is typed unseen, or comes through a pipe. */
const askPassword = async (): Promise<string> => {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '')
  /* c8 ignore start -- needs a terminal */
  process.stdout.write('New password: ')
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: unseen, terminal: true })
  const password = await lines.question('')
  lines.close()
  console.log()
  return password
  /* c8 ignore stop */
}

await runForOperator(async () => {
  await program.parseAsync()
})
