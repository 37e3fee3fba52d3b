import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import { type Inspection, inspectDatabase } from '../../db/open.ts'
import { countAll, listAccounts } from '../chat/administration.ts'
import { change } from './change.ts'
import { consoleOf, run, settings, type Terminal } from './terminal.ts'

/** `npm run admin`: looking needs no server; changes are made by the one that runs, or else on the file. */
export const admin = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const print = consoleOf(terminal)
  const look = async (body: (database: Inspection) => Promise<void>) => {
    const database = inspectDatabase(settings(terminal).DATABASE_URL)
    try {
      await body(database)
    } finally {
      database.close()
    }
  }
  const program = new Command('npm run admin --')
    .description('Looks after the database that DATABASE_URL names, whether the server runs or not.')
    .showHelpAfterError()

  program
    .command('state')
    .description('how much there is of everything')
    .option('--check', 'read all of it, and say what is damaged')
    .action(async ({ check }: { check?: true }) => {
      await look(async (database) => {
        const damage = check && database.check()
        print.table({
          bytes: database.bytes,
          ...(await countAll(database.reader)),
          ...(damage && { damage: damage.length === 0 ? 'none' : damage.join('; ') }),
        })
        if (damage && damage.length > 0) program.error('The database is damaged: restore a backup.')
      })
    })

  program
    .command('users')
    .description('accounts by name, those that were removed too')
    .option('--prefix <text>', 'only names that begin so', '')
    .option('--limit <count>', 'as many at most', countOf, 100)
    .action(async (options: { prefix: string; limit: number }) => {
      await look(async ({ reader }) => {
        const accounts = await listAccounts(reader, options)
        print.table(
          accounts.map(({ id, username, ...account }) => ({ username: plain(username), id, ...account })),
        )
      })
    })

  program
    .command('remove-user <name>')
    .description(
      'end its tokens, close its sockets, leave its groups; the name stays taken, the messages stay',
    )
    .action(async (username: string) => {
      await change(settings(terminal), 'remove-user', { username })
      print.log(`${username} is removed.`)
    })

  program
    .command('set-password <name>')
    .description('set or reset a password, which is asked for or read from the input; tokens end')
    .option('--generate', 'make one, and show it')
    .action(async (username: string, { generate }: { generate?: true }) => {
      const password = generate ? randomBytes(15).toString('base64url') : await askPassword(terminal)
      await change(settings(terminal), 'set-password', { username, password })
      print.log(generate ? `The password of ${username} is ${password}` : `${username} has a new password.`)
    })

  program
    .command('revoke-tokens [name]')
    .description('end every token of an account')
    .option('--everybody', 'of all accounts')
    .action(async (username: string | undefined, { everybody }: { everybody?: true }) => {
      if ((username === undefined) === (everybody === undefined))
        program.error('either a name or --everybody')
      if (username === undefined) await change(settings(terminal), 'revoke-every-token', {})
      else await change(settings(terminal), 'revoke-tokens', { username })
      print.log('The tokens have ended.')
    })

  program
    .command('rotate-secret')
    .description('sign tokens with a new secret; what the last one signed holds until it ends by itself')
    .option('--urgent', 'the last one has leaked: what it signed ends now')
    .action(async ({ urgent = false }: { urgent?: boolean }) => {
      await change(settings(terminal), 'rotate-secret', { urgent })
      print.log('A new secret signs from now on.')
    })

  return run(program, args, terminal)
}

const countOf = (text: string): number => {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('It must be a whole number above 0.')
}

/** A name of the first server may hold what a terminal would obey, or show in another order. */
const plain = (name: string) =>
  name.replaceAll(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `<U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')}>`,
  )

/** A password never stands in the list of processes: it is typed unseen, or comes through a pipe. */
const askPassword = async ({ stdin, stdout }: Terminal): Promise<string> => {
  if (!stdin.isTTY) return (await text(stdin)).replace(/\r?\n$/, '')
  /* c8 ignore start -- needs a terminal */
  stdout.write('New password: ')
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: unseen, terminal: true })
  const password = await lines.question('')
  lines.close()
  stdout.write('\n')
  return password
  /* c8 ignore stop */
}
