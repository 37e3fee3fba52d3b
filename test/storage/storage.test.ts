import Sqlite from 'better-sqlite3'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as users from '../../db/queries/users.ts'
import { createCheckpoint } from '../../db/dialects/sqlite/checkpoint.ts'
import { openForReading, openForWriting } from '../../db/dialects/sqlite/connection.ts'
import { createKysely } from '../../db/dialects/sqlite/kysely.ts'
import { controlPath, openDatabase } from '../../db/open.ts'
import * as counter from '../../db/queries/counter.ts'
import { sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { readRows } from '../support/database.ts'
import { temporaryFolder } from '../support/server.ts'

const folder = await temporaryFolder(t)
const open = (name: string) => openDatabase(`sqlite:${join(folder, name)}`, { maxQueue: 100 })
const unusable = (message: RegExp) => ({ name: 'StorageError', kind: 'unusable', message }) as object as Error

t.test('a commit is on disk before it returns: WAL and synchronous FULL', async (t) => {
  await (await open('wal')).close()
  const db = openForWriting(join(folder, 'wal'))
  t.teardown(() => db.close())
  t.equal(db.pragma('journal_mode', { simple: true }), 'wal')
  t.equal(db.pragma('synchronous', { simple: true }), 2)
  db.exec('begin immediate; update counter set last = last; commit')
  t.equal(db.pragma('synchronous', { simple: true }), 2, 'the pragma is set after the first write too')
  const reader = openForReading(join(folder, 'wal'))
  t.throws(() => reader.exec('delete from counter'), /readonly/)
  reader.close()
})

t.test('a subscriber reads a commit when it is published, whatever was read just before', async (t) => {
  const { reader, writer, close } = await open('turn')
  let isDone = false
  // A read transaction is open in every turn, including the turn that publishes the commit.
  const readAlways = () => {
    if (isDone) return
    void reader.get(counter.head, {})
    setImmediate(readAlways)
  }
  readAlways()
  const seen: unknown[] = []
  const published: unknown[] = []
  writer.on('commit', ({ last }) => {
    published.push({ last })
    // A read completes before its promise exists.
    void reader.get(counter.head, {}).then((row) => seen.push(row))
  })
  for (const key of ['ada', 'bob', 'cyd', 'dan', 'eve']) {
    const { user } = await writer.append('createUser', {
      username: key,
      password_hash: null,
      family: key,
    })
    await writer.append('send', { sender_id: user.id, receiver_username: key, content: 'a note' })
  }
  isDone = true
  t.equal(published.length, 10, 'each account and each message was published')
  t.strictSame(seen, published)
  await close()
})

t.test('every table is STRICT', async (t) => {
  const { close } = await open('strict')
  const tables = readRows(
    join(folder, 'strict'),
    "select name, strict from pragma_table_list where type = 'table'",
  )
  for (const { name, strict } of tables) {
    if (!/^(sqlite|kysely)_/.test(String(name))) t.equal(strict, 1, String(name))
  }
  await close()
})

t.test('a second server on the same file is refused, and the first keeps running', async (t) => {
  const first = await open('once')
  await t.rejects(open('once'), unusable(/in use by another server/))
  await first.writer.append('probe', {})
  await first.close()
  await (await open('once')).close()
})

t.test('a file has one server under each of its names', async (t) => {
  mkdirSync(join(folder, 'real'))
  symlinkSync(join(folder, 'real'), join(folder, 'folder'))
  const first = await open('folder/named')
  symlinkSync(join('real', 'named'), join(folder, 'link'))
  for (const name of ['real/named', 'folder/named', 'link', 'real/../link']) {
    await t.rejects(open(name), unusable(/in use by another server/), name)
  }
  await first.writer.append('probe', {})
  await first.close()
  const second = await open('link')
  t.equal(second.texts.locate('key'), first.texts.locate('key'), 'both names share one secret')
  t.equal(controlPath(`sqlite:${join(folder, 'link')}`), first.controlPath)
  await second.close()
  symlinkSync('nowhere', join(folder, 'dangling'))
  await t.rejects(open('dangling'), unusable(/dangling is a link to nothing/))
})

t.test('an invalid DATABASE_URL is refused', async (t) => {
  for (const url of ['', 'messenger.db', 'mysql://x/y', 'sqlite:', 'sqlite::memory:', 'file:x.db']) {
    await t.rejects(
      openDatabase(url, { maxQueue: 1 }),
      unusable(/DATABASE_URL is .* sqlite:messenger\.db/),
      url,
    )
  }
  await t.rejects(open('no/such/folder/x.db'), unusable(/no\/such\/folder/))
  mkdirSync(join(folder, 'a-folder'))
  await t.rejects(open('a-folder'), unusable(/a-folder/))
  writeFileSync(join(folder, 'text'), 'this is no database, and was never one\n'.repeat(100))
  await t.rejects(open('text'), unusable(/text can't be opened: file is not a database/))
  const absolute = await openDatabase(`sqlite://${join(folder, 'absolute')}`, { maxQueue: 1 })
  t.equal(absolute.texts.locate('key'), join(folder, 'absolute.key'))
  await absolute.close()
  t.ok(readdirSync(folder).includes('absolute'))
})

t.test('a failed migration leaves no change', async (t) => {
  const db = new Sqlite(join(folder, 'half'))
  t.teardown(() => db.close())
  const half: Migration = {
    async up(kysely) {
      await kysely.schema.createTable('made').addColumn('id', 'integer').execute()
      await sql`insert into made values (1)`.execute(kysely)
      await sql`insert into nothing values (1)`.execute(kysely)
    },
  }
  const migrator = new Migrator({ db: createKysely(db), provider: { getMigrations: async () => ({ half }) } })
  t.match(await migrator.migrateToLatest(), { error: { message: /nothing/ } })
  t.notOk(db.inTransaction)
  t.strictSame(db.prepare("select name from sqlite_schema where name = 'made'").all(), [])
})

t.test(
  'of three processes that start together on a new file, one serves and the schema is created once',
  async (t) => {
    const script = `
    import { openDatabase } from ${JSON.stringify(new URL('../../db/open.ts', import.meta.url).href)}
    try {
      const db = await openDatabase(process.env.DATABASE_URL, { maxQueue: 10 })
      console.log('open')
      process.stdin.once('data', () => db.close())
    } catch (error) { console.log(error.kind, error.message) }`
    const file = join(folder, 'three.mjs')
    writeFileSync(file, script)
    const url = `sqlite:${join(folder, 'three')}`
    const processes = Array.from({ length: 3 }, () =>
      spawn(process.execPath, [file], {
        env: { ...process.env, DATABASE_URL: url },
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    )
    const exits = processes.map((child) => once(child, 'exit'))
    t.teardown(() => processes.map((child) => child.kill('SIGKILL')))
    const said = await Promise.all(
      processes.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()),
    )
    t.match(said.toSorted(), ['open', /^unusable .*in use by another/, /^unusable .*in use by another/])
    for (const { stdin } of processes) stdin.on('error', () => {})
    for (const { stdin } of processes) stdin.end('close')
    await Promise.all(exits)
    t.strictSame(readRows(join(folder, 'three'), 'select count(*) as n from epochs'), [{ n: 1 }])
  },
)

t.test('each start opens a new epoch at the next number', async (t) => {
  const first = await open('epochs')
  const input = { username: 'alice', password_hash: null, family: 'f' }
  await first.writer.append('createUser', input)
  await first.writer.append('send', { sender_id: 1, receiver_username: 'alice', content: 'x' })
  await first.close()
  const second = await open('epochs')
  const { last, epoch, ends } = await second.head()
  t.equal(last, 3)
  t.equal(epoch, second.epoch())
  t.not(epoch, first.epoch())
  t.strictSame(
    ends,
    new Map([
      [first.epoch(), 4],
      [epoch, Number.POSITIVE_INFINITY],
    ]),
  )
  await second.close()
})

t.test('a caller whose write waits during close can read before it answers', async (t) => {
  const { writer, reader, close } = await open('closing')
  const makeAndRead = async () => {
    await writer.append('createUser', { username: 'alice', password_hash: null, family: 'f' })
    for (let reads = 0; reads < 20; reads++) await reader.get(users.userById, { id: 1 })
    return reader.get(users.userById, { id: 1 })
  }
  const answer = makeAndRead()
  const closed = [close(), close()]
  await t.rejects(writer.append('probe', {}), { code: 'SHUTTING_DOWN' })
  t.match(await answer, { username: 'alice' })
  await Promise.all(closed)
})

t.test('checkpoints run between commits, and the log stays bounded during long reads', async (t) => {
  const path = join(folder, 'log')
  await (await open('log')).close()
  const db = openForWriting(path)
  t.teardown(() => db.close())
  const checkpoint = createCheckpoint(db)
  const [log] = db.pragma('wal_checkpoint(NOOP)') as { log: number }[]
  t.match(log, { log: 0 })
  const state = () => (db.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[])[0]
  /** Writes 1 MiB in each commit. */
  const write = (count: number) => {
    for (let n = 0; n < count; n++) {
      db.exec(`insert or replace into revoked_tokens values ('${n % 4}', ${n}), ('x', zeroblob(0) is null)`)
      db.prepare('insert or replace into revoked_tokens values (?, ?)').run('y'.repeat(1_048_576), n)
      checkpoint()
    }
  }
  write(10)
  t.match(state(), { checkpointed: 0 }, 'a commit copies no pages')
  write(10)
  t.ok((state()?.checkpointed ?? 0) >= 4096 || (state()?.log ?? 0) < 4096, '16 MiB are copied')

  const reader = openForReading(path)
  reader.exec('begin')
  reader.prepare('select last from counter').get()
  write(80)
  t.ok((state()?.log ?? 0) > 16_384, 'a long read keeps the log')
  reader.exec('commit')
  write(40)
  t.ok((state()?.log ?? 0) < 16_384, 'the log restarts when the read ends')
  reader.close()

  const full = createCheckpoint({
    pragma: (sql: string) => {
      if (sql.includes('NOOP')) return [{ busy: 0, log: 5000, checkpointed: 0 }]
      throw Object.assign(new Error('full'), { code: 'SQLITE_FULL' })
    },
  } as never)
  full()
  t.pass('the database waits for space on a full disk')
})

t.test('a closed database is one file', async (t) => {
  const { writer, close } = await open('whole')
  await writer.append('probe', {})
  await close()
  const left = readdirSync(folder).filter((name) => name.startsWith('whole') && !name.endsWith('-lock'))
  t.strictSame(left, ['whole'], 'no journal file remains')
})
