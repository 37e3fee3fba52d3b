import { Command } from 'commander'
import { backupDatabase } from '../../db/open.ts'
import { runForOperator, settings } from './settings.ts'

/** Copies the database while the server goes on; the secret of the tokens is not in it. */
const program = new Command('npm run backup --')
  .description('Copies the database, as it is at this moment, into a new file. The server may go on.')
  .argument('<file>', 'the file to make')
  .action(async (file: string) => {
    await backupDatabase(settings().DATABASE_URL, file)
    console.log(`The backup is in ${file}, and was checked.`)
  })

await runForOperator(async () => {
  await program.parseAsync()
})
