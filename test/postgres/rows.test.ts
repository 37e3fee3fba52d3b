import t, { type Test } from 'tap'
import { NotLoaded, Rows } from '../../db/dialects/postgres/rows.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as messages from '../../db/queries/messages.ts'
import * as users from '../../db/queries/users.ts'

const block = { blocker_id: 1, blocked_id: 2 }
const other = { blocker_id: 3, blocked_id: 4 }
const marks = { now: 0, number: 0, low_delivered: 0, low_read: 0, high_delivered: 0, high_read: 0 }
const user = { id: 1 }

/** Answers each missing read with rows that name the time of the read, as the database would after the writes before it. */
const loader = (rows: Rows) => (moment: string) => {
  rows.takeWrites()
  const missing = rows.takeMissing()
  for (const run of missing) rows.load(run, [{ moment }])
  return missing.length
}

const start = (t: Test) => {
  const rows = new Rows()
  const load = loader(rows)
  const isMissing = (read: () => unknown, text = 'it is missing') => t.throws(read, new NotLoaded(), text)
  const blockOf = (given = block) => rows.get(blocks.blockOf, given)
  const userOf = () => rows.get(users.userById, user)
  return { rows, load, isMissing, blockOf, userOf }
}

t.test('a read is missing until its rows are loaded, and is loaded once for all who need it', (t) => {
  const { rows, load, isMissing, blockOf, userOf } = start(t)
  isMissing(blockOf)
  isMissing(blockOf)
  isMissing(() => blockOf(other))
  isMissing(userOf)
  t.equal(load('first'), 3)
  t.strictSame(
    [blockOf(), blockOf(other), userOf()],
    Array.from({ length: 3 }, () => ({ moment: 'first' })),
  )
  t.strictSame(rows.all(users.userById, user), [{ moment: 'first' }])
  t.strictSame(rows.takeMissing(), [])
  t.end()
})

t.test('a read after a write that shares a name with it is loaded again, and no other read is', (t) => {
  const { rows, load, isMissing, blockOf, userOf } = start(t)
  for (const read of [blockOf, () => blockOf(other), userOf]) isMissing(read)
  load('first')
  rows.run(blocks.insertBlock, { ...block, ...marks })
  t.strictSame(
    [blockOf(other), userOf()],
    Array.from({ length: 2 }, () => ({ moment: 'first' })),
  )
  isMissing(blockOf)
  t.equal(rows.writes.length, 1)
  t.equal(load('second'), 1)
  t.equal(rows.writes.length, 0)
  t.strictSame([blockOf(), blockOf(other)], [{ moment: 'second' }, { moment: 'first' }])
  t.end()
})

t.test('a read stays out of date when another read has sent the write to the database', (t) => {
  const { rows, load, isMissing, blockOf } = start(t)
  isMissing(blockOf)
  load('first')
  rows.run(blocks.insertBlock, { ...block, ...marks })
  isMissing(() => blockOf(other))
  load('second')
  isMissing(blockOf, 'it was loaded before the write')
  load('third')
  t.strictSame(blockOf(), { moment: 'third' })
  t.end()
})

t.test('a write without names makes every read out of date, and a read without names every write', (t) => {
  const { rows, load, isMissing, blockOf, userOf } = start(t)
  const holder = () => rows.get(users.tokenHolder, { id: 1, jti: 'x' })
  for (const read of [blockOf, userOf, holder]) isMissing(read)
  load('first')
  rows.run(users.setEveryFamily, { family: 'f', tokens_from: 0 })
  for (const read of [blockOf, userOf, holder]) isMissing(read)
  load('second')
  const credentials = { password_hash: null, token_family: 'f', kept_token: null, tokens_from: 0 }
  rows.run(users.setCredentials, { id: 1, ...credentials })
  t.strictSame(
    [blockOf(), userOf()],
    Array.from({ length: 2 }, () => ({ moment: 'second' })),
    'the transaction knows the user',
  )
  isMissing(holder)
  load('third')
  t.strictSame(holder(), { moment: 'third' })
  t.end()
})

t.test('a row is inserted unless the read finds it', (t) => {
  const { rows, load, isMissing } = start(t)
  const row = {
    id: 1,
    conversation_id: 1,
    sender_id: 1,
    content: '',
    timestamp: 0,
    reply_to: null,
    metadata: null,
  }
  const insert = (client_id: string | null) =>
    rows.insertNew(messages.insertMessage, messages.messageByClientId, { ...row, client_id })
  isMissing(() => insert('k'))
  load('first')
  t.equal(insert('k'), false)
  t.equal(rows.writes.length, 0)
  isMissing(() => insert('l'))
  for (const run of rows.takeMissing()) rows.load(run, [])
  t.equal(insert('l'), true)
  t.equal(rows.writes.length, 1)
  t.end()
})
