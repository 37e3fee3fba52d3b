import { Command } from 'commander'
import { restoreDatabase } from '../../db/open.ts'
import { newTokenFamily } from '../chat/tokens.ts'
import { consoleOf, run, settings, type Terminal } from './terminal.ts'

/** `npm run restore`: puts a backup in the place of the database, which no device must take for the one that it knew. */
export const restore = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const program = new Command('npm run restore --')
    .description('Puts a backup in the place of the database, while no server runs. What was there is kept.')
    .argument('<file>', 'the backup')
    .action(async (file: string) => {
      const { DATABASE_URL } = settings(terminal)
      const kept = await restoreDatabase(DATABASE_URL, file, newTokenFamily())
      const { log } = consoleOf(terminal)
      log(`${DATABASE_URL} is now what ${file} holds. Every token has ended: everybody logs in again, and`)
      log('a cursor from after the backup is answered with CURSOR_UNKNOWN: such a device loads anew.')
      if (kept) log(`What was there before is kept in ${kept}.`)
    })
  return run(program, args, terminal)
}
