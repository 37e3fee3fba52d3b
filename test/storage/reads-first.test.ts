import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { createBatchRunner } from '../../db/dialects/sqlite/batch.ts'
import { openDatabase } from '../../db/open.ts'
import type { Operation } from '../../db/operations/index.ts'
import { readInProbe } from '../support/reads.ts'
import { temporaryFolder } from '../support/server.ts'

t.test('an operation that reads after its first write is rejected alone', async (t) => {
  const path = join(await temporaryFolder(t), 'messenger.db')
  await (await openDatabase(`sqlite:${path}`, { maxQueue: 1 })).close()
  const db = new Sqlite(path)
  t.teardown(() => db.close())
  readInProbe(t)
  const run = createBatchRunner(db)
  const create = (username: string): Operation => ({
    name: 'createUser',
    input: { username, password_hash: null, family: 'f' },
  })
  const batch: Operation[] = [create('alice'), { name: 'probe', input: {} }, create('bob')]
  const outcomes = []
  while (outcomes.length < batch.length) outcomes.push(...run(batch.slice(outcomes.length)).outcomes)
  t.match(outcomes, [
    { ok: true },
    { ok: false, error: { kind: 'operation', message: 'An operation reads after its first write.' } },
    { ok: true },
  ])
})
