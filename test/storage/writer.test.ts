import Sqlite from 'better-sqlite3'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { createBatchRunner } from '../../db/dialects/sqlite/batch.ts'
import { openDatabase } from '../../db/open.ts'
import { type OpenWriter, writerContract } from '../contract/writer.ts'
import { readRows, writeSql } from '../support/database.ts'
import { temporaryFolder } from '../support/server.ts'

const folder = await temporaryFolder(t)

const open: OpenWriter = (place, maxQueue, report) =>
  openDatabase(`sqlite:${join(folder, place)}`, { maxQueue, report })

t.test('the SQLite writer follows the writer contract', async (t) => writerContract(t, open))

const user = { username: 'alice', password_hash: null, family: 'f' }
const kind = (kind: string) => ({ name: 'StorageError', kind }) as object as Error
const note = (content: string) => ({ sender_id: 1, receiver_username: 'alice', content })

t.test('a full disk fails the whole batch and stores none of it', async (t) => {
  const path = join(folder, 'full')
  await (await open('full', 10)).close()
  const db = new Sqlite(path)
  t.teardown(() => db.close())
  const run = createBatchRunner(db)
  run([{ name: 'createUser', input: user }])
  const pages = Number(db.pragma('page_count', { simple: true }))
  db.pragma(`max_page_count = ${pages + 2}`)
  const batch = ['small', 'x'.repeat(100_000), 'small too'].map((content) => ({
    name: 'send' as const,
    input: note(content),
  }))
  const { outcomes, changes, first, last } = run(batch)
  t.match(outcomes, [{ error: { kind: 'full' } }, { error: { kind: 'full' } }, { error: { kind: 'full' } }])
  t.strictSame([changes, last < first], [[], true])
  t.strictSame(readRows(path, 'select * from messages'), [])
  t.strictSame(readRows(path, 'select last from counter'), [{ last: 1 }])

  db.pragma('max_page_count = 1000000')
  const later = run(batch)
  t.strictSame(
    later.outcomes.map(({ ok }) => ok),
    [true, true, true],
  )
  t.strictSame([later.first, later.last], [2, 5], 'the numbers have no gap after the disk has room again')
})

t.test('writes fail while another process locks the file, and later writes work', async (t) => {
  const { writer, close } = await open('busy', 10)
  t.teardown(close)
  await writer.append('createUser', user)
  const other = new Sqlite(join(folder, 'busy'))
  t.teardown(() => other.close())
  other.exec('begin immediate')
  await t.rejects(writer.append('send', note('one')), kind('busy'))
  other.exec('rollback')
  t.equal((await writer.append('send', note('two'))).message.id, 3)
})

t.test('operations that arrive during a commit share the next batch', async (t) => {
  const { writer, close } = await open('meanwhile', 100)
  t.teardown(close)
  await writer.append('createUser', user)
  const other = new Sqlite(join(folder, 'meanwhile'))
  t.teardown(() => other.close())
  const sizes: number[] = []
  writer.on('batch', ({ size }) => sizes.push(size))
  other.exec('begin immediate')
  const sends: Promise<unknown>[] = []
  for (let turn = 0; turn < 30; turn++) {
    sends.push(writer.append('send', note(`${turn}`)))
    await new Promise((resolve) => setImmediate(resolve))
  }
  other.exec('rollback')
  await Promise.all(sends)
  // The operations of the first turns can form a batch of their own, because the thread was idle.
  t.ok(sizes.length <= 2, sizes.join(' and '))
  t.equal(
    sizes.reduce((sum, size) => sum + size),
    30,
  )
})

t.test('a writer reports an untrustworthy file once and stops writing', async (t) => {
  const path = join(folder, 'broken')
  const { writer, close } = await open('broken', 10)
  t.teardown(close)
  await writer.append('createUser', user)
  const broken: Error[] = []
  writer.on('broken', (error) => broken.push(error))
  // A commit of another connection makes the writer read the pages again, which are now damaged.
  writeSql(path, 'update counter set last = 5; pragma wal_checkpoint(truncate)')
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(100_000, 'x'), 0, 100_000, 0)
  ftruncateSync(file, 100_000)
  closeSync(file)
  const results = await Promise.allSettled([
    writer.append('send', note('one')),
    writer.append('send', note('two')),
  ])
  for (const result of results) t.match(result, { status: 'rejected', reason: { kind: 'broken' } })
  await t.rejects(writer.append('send', note('three')), kind('broken'))
  t.match(broken, [{ name: 'StorageError', kind: 'broken' }])
})

t.test('more operations than one batch holds are split into batches, in order', async (t) => {
  const { writer, close } = await open('many', 5000)
  const sizes: number[] = []
  writer.on('batch', ({ size }) => sizes.push(size))
  await Promise.all(Array.from({ length: 2500 }, () => writer.append('probe', {})))
  t.strictSame(sizes, [1024, 1024, 452])
  await close()
})

t.test('long messages are split into batches, and the bytes of waiting messages are bounded', async (t) => {
  const { writer, close } = await open('long', 100)
  t.teardown(close)
  await writer.append('createUser', user)
  const sizes: number[] = []
  writer.on('batch', ({ size }) => sizes.push(size))
  const content = 'x'.repeat(4 * 1024 * 1024)
  const sent = await Promise.allSettled(
    Array.from({ length: 20 }, () => writer.append('send', note(content))),
  )
  const refused = sent.filter(({ status }) => status === 'rejected')
  t.strictSame(
    sizes,
    Array.from({ length: 15 }, () => 1),
  )
  t.match(refused, [
    { reason: { code: 'OVERLOADED' } },
    { reason: { code: 'OVERLOADED' } },
    { reason: { code: 'OVERLOADED' } },
    { reason: { code: 'OVERLOADED' } },
    { reason: { code: 'OVERLOADED' } },
  ])
  t.equal(
    (await writer.append('send', note('later'))).duplicate,
    false,
    'the queue has room after the writes',
  )
})

t.test('operations that cannot be posted to the thread are rejected, and the writer works on', async (t) => {
  const { writer, close } = await open('unsent', 5000)
  t.teardown(close)
  await writer.append('createUser', user)
  const { postMessage } = Worker.prototype
  const settled: string[] = []
  const probe = (name: string) =>
    writer.append('probe', {}).then(
      () => settled.push(name),
      (error) => settled.push(`${name} ${error.kind}`),
    )
  // The first batch is posted before the turn ends, and the following operations at its end.
  const sent = Array.from({ length: 1024 }, () => writer.append('probe', {}))
  const failing = ['a', 'b'].map(probe)
  Worker.prototype.postMessage = () => {
    throw new RangeError('Invalid string length')
  }
  await new Promise((resolve) => setImmediate(resolve))
  Worker.prototype.postMessage = postMessage
  await Promise.all([...failing, probe('c'), ...sent])
  t.strictSame(settled, ['a operation', 'b operation', 'c'])
  t.equal(writer.pending, 0)

  const last = probe('d')
  Worker.prototype.postMessage = () => {
    throw new RangeError('Invalid string length')
  }
  const drained = writer.drain()
  await last
  Worker.prototype.postMessage = postMessage
  await drained
  t.equal(settled.at(-1), 'd operation', 'a stop does not wait for operations that were not posted')
})
