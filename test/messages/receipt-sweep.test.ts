import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { createBatchRunner } from '../../db/dialects/sqlite/batch.ts'
import { migrate } from '../../db/dialects/sqlite/migrations/index.ts'
import { StorageError } from '../../db/errors.ts'
import type { Operation } from '../../db/operations/index.ts'
import type { Config } from '../../src/config.ts'
import { createReceiptSweep } from '../../src/chat/receipt-sweep.ts'
import { AppError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/server.ts'

const START = 1_000_000

/** A database with a conversation of two users and ten messages. The test sets the time of its transactions. */
const openAt = async () => {
  const db = new Sqlite(join(await temporaryFolder(t), 'messenger.db'))
  t.teardown(() => db.close())
  await migrate(db)
  const clock = { now: START }
  const runBatch = createBatchRunner(db, () => clock.now)
  const run = (operation: Operation) => {
    const { outcomes, changes } = runBatch([operation])
    const [outcome] = outcomes
    if (!outcome?.ok) throw outcome?.error
    return { value: outcome.value, audiences: changes.map(({ audience }) => audience) }
  }
  for (const username of ['alice', 'bob']) {
    run({ name: 'createUser', input: { username, password_hash: null, family: 'f' } })
  }
  const content = 'a note'
  for (let sent = 0; sent < 10; sent += 1) {
    run({ name: 'send', input: { sender_id: 1, receiver_username: 'bob', content } })
  }
  const member = { user_id: 2, conversation_id: 1, max_group: 32 }
  return {
    clock,
    run,
    /** @returns the audiences of the receipts that were published */
    read: (read_up_to: number) => run({ name: 'mark', input: { ...member, read_up_to } }).audiences,
    announce: () => run({ name: 'announceOverdue', input: member }),
  }
}

t.test('a mark is published at once, and a later one when a second has passed', async (t) => {
  const { clock, read, announce } = await openAt()
  t.strictSame(read(2), [[1, 2]])
  t.match(announce(), { value: false, audiences: [] }, 'nothing waits')
  clock.now += 999
  t.strictSame(read(3), [[]], 'the mark waits')
  t.match(announce(), { value: false, audiences: [] }, 'not yet')
  clock.now += 1
  t.match(announce(), { value: true, audiences: [[1, 2]] })
  t.match(announce(), { value: false, audiences: [] }, 'another process has published it')
  t.strictSame(read(4), [[]], 'the second begins with each publication')
  clock.now += 1000
  t.strictSame(read(5), [[1, 2]], 'a mark that moves then is published with what waits')
  t.match(announce(), { value: false, audiences: [] })
})

t.test('a clock that is set back delays no publication', async (t) => {
  const { clock, read, announce } = await openAt()
  read(2)
  read(3)
  clock.now -= 3_600_000
  t.match(announce(), { value: true, audiences: [[1, 2]] })
  t.strictSame(read(4), [[]])
  clock.now -= 3_600_000
  t.strictSame(read(5), [[1, 2]])
})

t.test('a member who rejoins a group does not publish more often', async (t) => {
  const { clock, run } = await openAt()
  const group = { user_id: 1, conversation_id: 2, username: 'bob' }
  const say = () =>
    run({ name: 'send', input: { sender_id: 1, conversation_id: 2, content: 'hi' } }).value as {
      message: { id: number }
    }
  const read = () =>
    run({
      name: 'mark',
      input: { user_id: 2, conversation_id: 2, max_group: 32, read_up_to: say().message.id },
    }).audiences
  run({ name: 'createGroup', input: { user_id: 1, title: 'g', members: ['bob'] } })
  t.strictSame(read(), [[1, 2]])
  run({ name: 'removeMember', input: { ...group, max_group: 32 } })
  run({ name: 'addMember', input: { ...group, max_members: 32 } })
  t.strictSame(read(), [[]])
  clock.now += 1000
  t.strictSame(read(), [[1, 2]])
})

/** A sweep over receipts that the test supplies. `looks` counts the reads. */
const sweepOver = (find: () => Promise<object[]>, append: () => Promise<boolean> = async () => true) => {
  const counts = { looks: 0, appended: 0 }
  const looked = new Map<number, () => void>()
  const errors: unknown[] = []
  const sweep = createReceiptSweep(
    {
      all: async () => {
        counts.looks += 1
        looked.get(counts.looks)?.()
        return (await find()) as never
      },
      get: async () => undefined,
    },
    {
      append: () => {
        counts.appended += 1
        return append()
      },
    } as never,
    { MAX_RECEIPT_GROUP: 32 } as Config,
    (error) => errors.push(error),
    1,
  )
  // The sweep's own timer does not keep the process alive.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => {
    sweep.stop()
    clearInterval(alive)
  })
  return {
    ...sweep,
    counts,
    errors,
    /** Resolves when the look with this number begins. */
    look: (number: number) => new Promise<void>((resolve) => looked.set(number, resolve)),
  }
}

/** Time for several looks, if they were to begin. */
const severalPauses = () => new Promise((resolve) => setTimeout(resolve, 20))

const receipts = (count: number) => Array.from({ length: count }, () => ({ user_id: 1, conversation_id: 1 }))

t.test('a look publishes step by step until fewer are overdue than a step takes', async (t) => {
  const steps = [128, 128, 3]
  const sweep = sweepOver(async () => receipts(steps.shift() ?? 0))
  const next = sweep.look(4)
  sweep.start()
  await next
  t.equal(sweep.counts.appended, 259)
})

t.test('receipts that others publish are left to the next look', async (t) => {
  const sweep = sweepOver(
    async () => receipts(128),
    async () => false,
  )
  const next = sweep.look(2)
  sweep.start()
  await next
  t.equal(sweep.counts.appended, 128)
})

t.test('two looks never overlap', async (t) => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const sweep = sweepOver(
    async () => receipts(1),
    () => promise,
  )
  sweep.start()
  await severalPauses()
  t.equal(sweep.counts.looks, 1, 'the first still waits for its write')
  const next = sweep.look(2)
  resolve(true)
  await next
})

t.test('the first of several errors in a row is reported', async (t) => {
  const failures = [
    new StorageError('full', 'The disk is full.'),
    new AppError('SHUTTING_DOWN', 'The server is stopping.'),
    new Error('a bug'),
    new Error('a bug again'),
  ]
  const sweep = sweepOver(async () => {
    const failure = failures.shift()
    if (failure) throw failure
    return []
  })
  const last = sweep.look(5)
  sweep.start()
  await last
  t.match(sweep.errors, [{ message: 'The disk is full.' }])
  t.equal(sweep.errors.length, 1)
})

t.test('a failed write does not hide an unexpected error of another', async (t) => {
  const failures: Error[] = [new StorageError('full', 'The disk is full.'), new Error('a bug')]
  const sweep = sweepOver(
    async () => (failures.length > 0 ? receipts(2) : []),
    () => Promise.reject(failures.shift()),
  )
  const next = sweep.look(2)
  sweep.start()
  await next
  t.match(sweep.errors, [{ message: 'a bug' }])
})

t.test('a sweep that is stopped during a look begins no other', async (t) => {
  const sweep = sweepOver(async () => receipts(128))
  const first = sweep.look(1)
  sweep.start()
  await first
  sweep.stop()
  await severalPauses()
  t.equal(sweep.counts.looks, 1)
})
