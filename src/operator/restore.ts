import { Command } from 'commander'
import { restoreDatabase } from '../../db/open.ts'
import { newTokenFamily } from '../chat/tokens.ts'
import { consoleOf, run, settings, type Terminal } from './terminal.ts'

/**
 * `npm run restore`: replaces the database by a backup. Tokens and cursors of the replaced database become invalid, because
 * they may refer to changes that the backup does not have.
 */
export const restore = (args: readonly string[], terminal: Terminal): Promise<number> => {
  const program = new Command('npm run restore --')
    .description('Replaces the database by a backup, and keeps the old one. The server must not run.')
    .argument('<file>', 'the backup')
    .action(async (file: string) => {
      const { DATABASE_URL } = settings(terminal)
      const kept = await restoreDatabase(DATABASE_URL, file, newTokenFamily())
      const { log } = consoleOf(terminal)
      log(
        `${DATABASE_URL} is restored from ${file}. All tokens have ended, so all users have to log in again.`,
      )
      log('A cursor that is newer than the backup gets CURSOR_UNKNOWN: its device reloads its conversations.')
      if (kept) log(`The replaced database is in ${kept}.`)
    })
  return run(program, args, terminal)
}
