import { Command } from 'commander'
import { backupDatabase } from '../../db/open.ts'
import { consoleOf, run, settings, type Terminal } from './terminal.ts'

/** `npm run backup`: copies the database while the server goes on; the secret of the tokens is not in it. */
export const backup = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const program = new Command('npm run backup --')
    .description('Copies the database, as it is at this moment, into a new file. The server may go on.')
    .argument('<file>', 'the file to make')
    .action(async (file: string) => {
      await backupDatabase(settings(terminal).DATABASE_URL, file)
      consoleOf(terminal).log(`The backup is in ${file}, and was checked.`)
    })
  return run(program, args, terminal)
}
