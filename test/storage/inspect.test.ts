import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { openOurs } from '../../db/dialects/sqlite/inspect.ts'
import { temporaryFolder } from '../support/server.ts'

t.test('inspecting a missing or foreign file reports the reason and does not open it', async (t) => {
  const folder = await temporaryFolder(t)
  t.throws(() => openOurs(join(folder, 'none')), { kind: 'unusable', message: /There is no database/ })
  const path = join(folder, 'other')
  new Sqlite(path).exec('create table other (id)').close()
  t.throws(() => openOurs(path), { kind: 'unusable', message: /is not a database of this server/ })
})
