import t, { type Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import type { Writer } from '../../db/writer.ts'
import { readerContract } from '../contract/reader.ts'
import { withoutPostgres as skip } from '../support/postgres.ts'
import { createPostgres } from '../support/test-database.ts'

let databases = 0

const open = async (t: Test) => {
  databases += 1
  const url = await createPostgres(`reader-${databases}`)
  const { reader, writer, close } = await openDatabase(url, { maxQueue: 100 })
  t.teardown(close)
  return {
    url,
    reader,
    writer,
    async commitBetween(_numbers: number, operations: ((writer: Writer) => Promise<unknown>)[]) {
      for (const append of operations) await append(writer)
    },
  }
}

t.test('the PostgreSQL reader follows the reader contract', { skip }, async (t) => readerContract(t, open))
