import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { Command, InvalidArgumentError } from 'commander'
import type { Inspection } from '../../db/database.ts'
import { inspectDatabase, moveDatabase } from '../../db/open.ts'
import { countAll, listAccounts, listServerKeys } from '../chat/administration.ts'
import { SECRETS } from '../chat/secrets.ts'
import { newServerKey } from '../chat/server-keys.ts'
import { change } from './change.ts'
import type { Arguments, Commands } from './commands.ts'
import { AppError } from '../errors.ts'
import { json, printable, table } from './output.ts'
import { run, settings, type Terminal } from './terminal.ts'

type Output = { json?: true }

/**
 * `npm run admin`. Read commands open the database directly. Other commands run in the server if it runs, otherwise on the
 * database itself.
 * @returns the exit code
 */
export const admin = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const print = (line: string) => void terminal.stdout.write(`${line}\n`)
  const inspect = async <T>(body: (database: Inspection) => Promise<T>): Promise<T> => {
    const database = await inspectDatabase(settings(terminal).DATABASE_URL)
    try {
      return await body(database)
    } finally {
      await database.close()
    }
  }
  /** Runs a command, and prints `sentence`, or with --json `facts` and the result of the command. */
  const execute = async <K extends keyof Commands>(
    command: K,
    input: Arguments<K> & object,
    output: Output,
    sentence: string,
    facts: object = {},
  ) => {
    const result = (await change(settings(terminal), command, input)) ?? {}
    print(output.json ? json({ done: command, ...facts, ...result }) : sentence)
  }
  const program = new Command('npm run admin --')
    .description('Manages the database in DATABASE_URL. Works whether the server runs or not.')
    .showHelpAfterError()

  program
    .command('state')
    .description('show the size of the database and the number of rows')
    .option('--check', 'read the whole database and report damage')
    .action(async ({ check, ...output }: { check?: true } & Output) => {
      const { damage, ...figures } = await inspect(async (database) => ({
        bytes: database.bytes,
        ...(await countAll(database.reader)),
        damage: check && (await database.check()),
      }))
      if (output.json) print(json({ ...figures, ...(damage && { damage }) }))
      else {
        const rows = Object.entries(figures).map(([name, figure]) => [name, String(figure)])
        if (damage) rows.push(['damage', damage.length === 0 ? 'none' : damage.join('; ')])
        print(table(rows))
      }
      if (damage && damage.length > 0) program.error('The database is damaged. Restore a backup.')
    })

  program
    .command('users')
    .description('list accounts by name, including removed ones')
    .option('--prefix <text>', 'only names with this prefix', '')
    .option('--limit <count>', 'the maximum number of accounts', countOf, 100)
    .action(async (options: { prefix: string; limit: number } & Output) => {
      const users = await inspect(({ reader }) => listAccounts(reader, options))
      if (options.json) print(json({ users }))
      else {
        const rows = users.map((user) => [
          String(user.id),
          user.has_password ? 'yes' : 'no',
          user.created_at,
          user.removed_at ?? '-',
          user.suspension ? (user.suspension.until ?? 'yes') : '-',
          printable(user.username),
        ])
        print(table([['id', 'password', 'created', 'removed', 'suspended', 'username'], ...rows]))
      }
    })

  program
    .command('create-user <name>')
    .description('create an account; the password is prompted for or read from stdin')
    .option('--generate', 'generate a password and print it')
    .option('--no-password', 'create it without a password; login then needs AUTH_MODE=open')
    .action(async (username: string, options: { generate?: true; password: boolean } & Output) => {
      if (options.generate && !options.password) program.error('Use either --generate or --no-password.')
      const password = options.password ? await newPassword(terminal, options.generate) : undefined
      const shown = options.generate && password
      await execute(
        'create-user',
        { username, ...(password !== undefined && { password }) },
        options,
        shown
          ? `The account ${username} is created. Its password is ${shown}`
          : `The account ${username} is created.`,
        { username, ...(shown && { password: shown }) },
      )
    })

  program
    .command('remove-user <name>')
    .description(
      'end its tokens, close its sockets and leave its groups; its messages stay and its name cannot be used again',
    )
    .action((username: string, output: Output) =>
      execute('remove-user', { username }, output, `The account ${username} is removed.`, { username }),
    )

  program
    .command('set-password <name>')
    .description('set a password, which is prompted for or read from stdin; all tokens of the account end')
    .option('--generate', 'generate a password and print it')
    .action(async (username: string, options: { generate?: true } & Output) => {
      const password = await newPassword(terminal, options.generate)
      await execute(
        'set-password',
        { username, password },
        options,
        options.generate ? `The password of ${username} is ${password}` : `${username} has a new password.`,
        { username, ...(options.generate && { password }) },
      )
    })

  program
    .command('revoke-tokens [name]')
    .description('end all tokens of an account')
    .option('--everybody', 'end the tokens of all accounts')
    .action(async (username: string | undefined, { everybody, ...output }: { everybody?: true } & Output) => {
      if ((username === undefined) === (everybody === undefined))
        program.error('Use either a name or --everybody.')
      const sentence = 'The tokens have ended.'
      if (username === undefined) await execute('revoke-every-token', {}, output, sentence)
      else await execute('revoke-tokens', { username }, output, sentence, { username })
    })

  program
    .command('rotate-secret')
    .description('sign tokens with a new secret; existing tokens stay valid until they expire')
    .option('--urgent', 'the old secret has leaked: end existing tokens now')
    .action(({ urgent = false, ...output }: { urgent?: boolean } & Output) =>
      execute('rotate-secret', { urgent }, output, 'New tokens are signed with a new secret.', { urgent }),
    )

  const keys = program.command('key').description('manage the keys of your app’s backend')
  keys
    .command('create <name>')
    .description('create a server key and print it once; only its hash is stored')
    .action((name: string, output: Output) => {
      const { key, hash } = newServerKey()
      return execute('create-key', { name, hash }, output, `The server key ${name} is ${key}`, { name, key })
    })
  keys
    .command('list')
    .description('list the server keys')
    .action(async (output: Output) => {
      const found = await inspect(({ reader }) => listServerKeys(reader))
      if (output.json) print(json({ keys: found }))
      else print(table([['created', 'name'], ...found.map(({ name, created_at }) => [created_at, name])]))
    })
  keys
    .command('revoke <name>')
    .description('end a server key on all servers')
    .action((name: string, output: Output) =>
      execute('revoke-key', { name }, output, `The server key ${name} has ended.`, { name }),
    )

  program
    .command('move <url>')
    .description(
      'copy the SQLite database of a stopped server into an empty PostgreSQL database, and compare',
    )
    .option('--replace-nul', 'store U+FFFD for the character U+0000, which PostgreSQL cannot store')
    .action(async (target: string, { replaceNul = false, ...output }: { replaceNul?: boolean } & Output) => {
      const { DATABASE_URL } = settings(terminal)
      const report = (sentence: string) => void terminal.stderr.write(`${sentence}\n`)
      const tables = await moveDatabase(DATABASE_URL, target, { texts: [SECRETS], replaceNul, report })
      if (output.json) print(json({ done: 'move', tables }))
      else {
        print(`All ${tables.length} tables are moved. The rows and digests on both sides are equal.`)
        print('Set DATABASE_URL to the PostgreSQL database and start the server.')
        print(`Start no server with ${DATABASE_URL} again: it would give the same numbers to other messages.`)
      }
    })

  for (const command of [...program.commands, ...keys.commands]) {
    if (command !== keys) command.option('--json', 'print the result as one line of JSON')
  }
  return run(program, args, terminal)
}

const countOf = (text: string): number => {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new InvalidArgumentError('It must be a whole number above 0.')
}

/** Generates a password, prompts for it without echo, or reads it from a pipe. An argument would show in the process list. */
const newPassword = async ({ stdin, stderr }: Terminal, generate = false): Promise<string> => {
  if (generate) return randomBytes(15).toString('base64url')
  if (!stdin.isTTY) return passwordOf(await buffer(stdin))
  /* c8 ignore start -- needs a terminal */
  stderr.write('New password: ')
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: stdin, output: silent, terminal: true })
  const password = await lines.question('')
  lines.close()
  stderr.write('\n')
  return password
  /* c8 ignore stop */
}

/** @returns the password in the bytes of a pipe: one line of UTF-8, with or without a line break at its end */
const passwordOf = (bytes: Buffer): string => {
  // Decoding would replace invalid bytes without an error.
  if (!isUtf8(bytes))
    throw new AppError('VALIDATION_FAILED', 'The password on stdin is not UTF-8. Send it in UTF-8.')
  const password = bytes.toString().replace(/\r?\n$/, '')
  if (!/[\r\n]/.test(password)) return password
  throw new AppError('VALIDATION_FAILED', 'stdin has several lines. Send only the password, on one line.')
}
