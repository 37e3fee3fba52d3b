import { setImmediate as nextTurn } from 'node:timers/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import * as counter from '../../db/queries/counter.ts'
import { readerContract } from '../contract/reader.ts'
import { commitInTurn } from '../support/reads.ts'
import { temporaryFolder } from '../support/server.ts'

const open = async (t: Test) => {
  const folder = await temporaryFolder(t)
  const { reader, writer, close } = await openDatabase(`sqlite:${join(folder, 'messenger.db')}`, {
    maxQueue: 100,
  })
  t.teardown(close)
  return {
    reader,
    writer,
    commitBetween: (numbers: number, operations: Parameters<typeof commitInTurn>[3]) =>
      commitInTurn(folder, writer, numbers, operations),
  }
}

t.test('the SQLite reader follows the reader contract', async (t) => readerContract(t, open))

t.test('a snapshot of SQLite ends with its turn of the event loop', async (t) => {
  const { reader } = await open(t)
  const late = { message: /This read is late/ } as object as Error
  await t.rejects(
    reader.snapshot(async (read) => {
      await nextTurn()
      return read.get(counter.head, {})
    }),
    late,
    'no transaction is open',
  )
  await t.rejects(
    reader.snapshot(async (read) => {
      await nextTurn()
      await reader.get(counter.head, {})
      return read.get(counter.head, {})
    }),
    late,
    'another transaction is open',
  )
})
