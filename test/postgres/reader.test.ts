import t, { type Test } from 'tap'
import { createReader } from '../../db/dialects/postgres/statements.ts'
import { openDatabase } from '../../db/open.ts'
import * as counter from '../../db/queries/counter.ts'
import { userById } from '../../db/queries/users.ts'
import type { Reads } from '../../db/query.ts'
import type { Writer } from '../../db/writer.ts'
import { readerContract } from '../contract/reader.ts'
import { query, withoutPostgres as skip } from '../support/postgres.ts'
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

const refused = { name: 'StorageError' } as object as Error
const head = (read: Reads) => read.get(counter.head, {})

/** Ends every other connection to the database, as a restart does. */
const endConnections = (url: string) =>
  query(
    url,
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  )

t.test('reads fail while a connection is lost, and later reads have new ones', { skip }, async (t) => {
  const { url, reader } = await open(t)
  t.ok(await head(reader))
  await endConnections(url)
  await reader.get(counter.head, {}).catch((error) => t.match(error, refused))
  t.ok(await head(reader), 'after an idle connection was lost')

  await t.rejects(
    reader.snapshot(async (read) => {
      await head(read)
      await endConnections(url)
      return head(read)
    }),
    { ...refused, kind: 'unreachable' },
  )
  await reader.snapshot(async (read) => {
    await head(read)
    await endConnections(url)
  })
  await reader.get(counter.head, {}).catch((error) => t.match(error, refused))
  t.ok(await head(reader), 'after a snapshot lost its connection')
})

t.test('a read fails when no connection can be made', { skip }, async (t) => {
  const { url } = await open(t)
  const { reader, pool } = createReader(`${url}-none`, 1)
  t.teardown(() => pool.end())
  await t.rejects(head(reader), refused)
  await t.rejects(reader.snapshot(head), refused)
})

t.test('a snapshot whose body fails returns its connection to the pool', { skip }, async (t) => {
  const { url } = await open(t)
  const { reader, pool } = createReader(url, 1)
  t.teardown(() => pool.end())
  const error = new Error('of the body')
  await t.rejects(
    reader.snapshot(async (read) => {
      await head(read)
      throw error
    }),
    error,
  )
  await t.rejects(
    reader.snapshot((read) => read.all(userById, { id: 'not a number' as never })),
    { ...refused, kind: 'operation' },
    'the database refuses a read',
  )
  t.ok(await reader.snapshot(head))
})

t.test('a snapshot that reads nothing, and one after it on the same connection', { skip }, async (t) => {
  const { url } = await open(t)
  const { reader, pool } = createReader(url, 1)
  t.teardown(() => pool.end())
  const heads = await Promise.all([
    reader.snapshot(async () => 'nothing'),
    reader.snapshot(head),
    head(reader),
  ])
  t.match(heads, ['nothing', { last: 0 }, { last: 0 }])
})

t.test(
  'more reads at once than one connection takes are all answered, each by itself',
  { skip },
  async (t) => {
    const { url, writer } = await open(t)
    const { user } = await writer.append('createUser', {
      username: 'alice',
      password_hash: null,
      family: 'f',
    })
    const { reader, pool } = createReader(url, 2)
    t.teardown(() => pool.end())
    const reads = Array.from({ length: 300 }, (_, n) =>
      reader.get(userById, { id: n % 3 === 0 ? ('not a number' as never) : user.id }),
    )
    const results = await Promise.allSettled(reads)
    for (const [n, result] of results.entries()) {
      if (n % 3 === 0) t.match(result, { reason: { ...refused, kind: 'operation' } })
      else t.match(result, { value: { username: 'alice' } })
    }
    t.equal((await reader.get(userById, { id: user.id }))?.username, 'alice', 'the connections are good')
  },
)
