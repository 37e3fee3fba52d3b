import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import type { Inspection } from '../../db/database.ts'
import { inspectDatabase } from '../../db/open.ts'
import { countAll, listAccounts } from '../chat/administration.ts'
import { change } from './change.ts'
import type { Arguments, Commands } from './commands.ts'
import { json, plain, table } from './output.ts'
import { run, settings, type Terminal } from './terminal.ts'

type Output = { json?: true }

/** `npm run admin`: looking needs no server; changes are made by the one that runs, or else on the file. */
export const admin = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const print = (line: string) => void terminal.stdout.write(`${line}\n`)
  const look = async <T>(body: (database: Inspection) => Promise<T>): Promise<T> => {
    const database = inspectDatabase(settings(terminal).DATABASE_URL)
    try {
      return await body(database)
    } finally {
      database.close()
    }
  }
  /** Makes a change, and prints `sentence`, or as JSON `facts` and what the change gave. */
  const make = async <K extends keyof Commands>(
    command: K,
    input: Arguments<K> & object,
    output: Output,
    sentence: string,
    facts: object = {},
  ) => {
    const given = (await change(settings(terminal), command, input)) ?? {}
    print(output.json ? json({ done: command, ...facts, ...given }) : sentence)
  }
  const program = new Command('npm run admin --')
    .description('Looks after the database that DATABASE_URL names, whether the server runs or not.')
    .showHelpAfterError()

  program
    .command('state')
    .description('how much there is of everything')
    .option('--check', 'read all of it, and say what is damaged')
    .action(async ({ check, ...output }: { check?: true } & Output) => {
      const { damage, ...figures } = await look(async (database) => ({
        bytes: database.bytes,
        ...(await countAll(database.reader)),
        damage: check && database.check(),
      }))
      if (output.json) print(json({ ...figures, ...(damage && { damage }) }))
      else {
        const rows = Object.entries(figures).map(([name, figure]) => [name, String(figure)])
        if (damage) rows.push(['damage', damage.length === 0 ? 'none' : damage.join('; ')])
        print(table(rows))
      }
      if (damage && damage.length > 0) program.error('The database is damaged: restore a backup.')
    })

  program
    .command('users')
    .description('accounts by name, those that were removed too')
    .option('--prefix <text>', 'only names that begin so', '')
    .option('--limit <count>', 'as many at most', countOf, 100)
    .action(async (options: { prefix: string; limit: number } & Output) => {
      const users = await look(({ reader }) => listAccounts(reader, options))
      if (options.json) print(json({ users }))
      else {
        const rows = users.map((user) => [
          String(user.id),
          user.has_password ? 'yes' : 'no',
          user.created_at,
          user.removed_at ?? '-',
          plain(user.username),
        ])
        print(table([['id', 'password', 'created', 'removed', 'username'], ...rows]))
      }
    })

  program
    .command('create-user <name>')
    .description('make an account; its password is asked for or read from the input')
    .option('--generate', 'make a password, and show it')
    .option('--no-password', 'its name is enough to log in: only where AUTH_MODE is open')
    .action(async (username: string, options: { generate?: true; password: boolean } & Output) => {
      if (options.generate && !options.password) program.error('either --generate or --no-password')
      const password = options.password ? await newPassword(terminal, options.generate) : undefined
      const shown = options.generate && password
      await make(
        'create-user',
        { username, ...(password !== undefined && { password }) },
        options,
        shown ? `${username} has an account; its password is ${shown}` : `${username} has an account.`,
        { username, ...(shown && { password: shown }) },
      )
    })

  program
    .command('remove-user <name>')
    .description(
      'end its tokens, close its sockets, leave its groups; the name stays taken, the messages stay',
    )
    .action((username: string, output: Output) =>
      make('remove-user', { username }, output, `${username} is removed.`, { username }),
    )

  program
    .command('set-password <name>')
    .description('set or reset a password, which is asked for or read from the input; tokens end')
    .option('--generate', 'make one, and show it')
    .action(async (username: string, options: { generate?: true } & Output) => {
      const password = await newPassword(terminal, options.generate)
      await make(
        'set-password',
        { username, password },
        options,
        options.generate ? `The password of ${username} is ${password}` : `${username} has a new password.`,
        { username, ...(options.generate && { password }) },
      )
    })

  program
    .command('revoke-tokens [name]')
    .description('end every token of an account')
    .option('--everybody', 'of all accounts')
    .action(async (username: string | undefined, { everybody, ...output }: { everybody?: true } & Output) => {
      if ((username === undefined) === (everybody === undefined))
        program.error('either a name or --everybody')
      const sentence = 'The tokens have ended.'
      if (username === undefined) await make('revoke-every-token', {}, output, sentence)
      else await make('revoke-tokens', { username }, output, sentence, { username })
    })

  program
    .command('rotate-secret')
    .description('sign tokens with a new secret; what the last one signed holds until it ends by itself')
    .option('--urgent', 'the last one has leaked: what it signed ends now')
    .action(({ urgent = false, ...output }: { urgent?: boolean } & Output) =>
      make('rotate-secret', { urgent }, output, 'A new secret signs from now on.', { urgent }),
    )

  for (const command of program.commands) command.option('--json', 'print the result as one line of JSON')
  return run(program, args, terminal)
}

const countOf = (text: string): number => {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('It must be a whole number above 0.')
}

/** A password never stands in the list of processes: it is generated, typed unseen, or comes through a pipe. */
const newPassword = async ({ stdin, stderr }: Terminal, generate = false): Promise<string> => {
  if (generate) return randomBytes(15).toString('base64url')
  if (!stdin.isTTY) return (await text(stdin)).replace(/\r?\n$/, '')
  /* c8 ignore start -- needs a terminal */
  stderr.write('New password: ')
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: unseen, terminal: true })
  const password = await lines.question('')
  lines.close()
  stderr.write('\n')
  return password
  /* c8 ignore stop */
}
