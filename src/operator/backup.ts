import { Command } from 'commander'
import { backupDatabase } from '../../db/open.ts'
import { consoleOf, run, settings, type Terminal } from './terminal.ts'

/** `npm run backup`: copies the database, also while the server runs. The copy does not contain the token secret. */
export const backup = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const program = new Command('npm run backup --')
    .description('Copies the current state of the database to a new file. The server may run.')
    .argument('<file>', 'the file to create')
    .action(async (file: string) => {
      await backupDatabase(settings(terminal).DATABASE_URL, file)
      consoleOf(terminal).log(`The backup is in ${file}. Its integrity is checked.`)
    })
  return run(program, args, terminal)
}
