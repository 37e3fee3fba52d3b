import { Command } from 'commander'
import { restoreDatabase } from '../../db/open.ts'
import { newTokenFamily } from '../chat/tokens.ts'
import { runForOperator, settings } from './settings.ts'

/** Puts a backup in the place of the database. Devices log in again; their cursors are told from those of before. */
const program = new Command('npm run restore --')
  .description('Puts a backup in the place of the database, while no server runs. What was there is kept.')
  .argument('<file>', 'the backup')
  .action(async (file: string) => {
    const { DATABASE_URL } = settings()
    const kept = await restoreDatabase(DATABASE_URL, file, newTokenFamily())
    console.log(
      `${DATABASE_URL} is now what ${file} holds. Every token has ended: everybody logs in again, and`,
    )
    console.log('a cursor from after the backup is answered with CURSOR_UNKNOWN: such a device loads anew.')
    if (kept) console.log(`What was there before is kept in ${kept}.`)
  })

await runForOperator(async () => {
  await program.parseAsync()
})
