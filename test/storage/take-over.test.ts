import { chmodSync, copyFileSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { parseFirstTime } from '../../db/dialects/sqlite/migrations/take-over.ts'
import { openDatabase } from '../../db/open.ts'
import type { SentMessage } from '../../schemas/message.ts'
import { readRows, writeSql } from '../support/database.ts'
import { operator } from '../support/operator.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

/** The schema that the first server created. */
const FIRST = `
  CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT UNIQUE NOT NULL);
  CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, sender_id INTEGER NOT NULL, receiver_id INTEGER NOT NULL,
    content TEXT NOT NULL, timestamp DATETIME DEFAULT CURRENT_TIMESTAMP);`

/** The same columns without constraints. */
const LOOSE = `
  CREATE TABLE users (id, username);
  CREATE TABLE messages (id, sender_id, receiver_id, content, timestamp);`

const firstFile = async (t: Test, rows: string) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'messenger.db')
  writeSql(file, FIRST + rows)
  return { folder, file }
}

t.test('a take-over keeps every user, message, id and time of the first server', async (t) => {
  const { folder, file } = await firstFile(
    t,
    `insert into users values (3, 'alice'), (7, 'Bob'), (8, 'carol'), (20, 'gone');
     insert into messages values
       (5, 3, 7, 'hello', '2024-02-29 23:59:59'),
       (6, 7, 3, 'hi', '2024-03-01T01:30:00.123456+01:30'),
       (9, 3, 3, 'a note', '2024-03-01T00:00:01Z'),
       (12, 8, 3, 'from carol', '2024-03-01t00:00:02.5-00:30');
     delete from users where id = 20;
     insert into messages values (40, 3, 7, 'was deleted', '2024-03-01 00:00:00');
     delete from messages where id = 40;`,
  )
  chmodSync(file, 0o644)
  const { login, app } = await startServer(t, {}, folder)
  for (const name of ['', '-wal', '-shm'])
    t.equal(statSync(file + name).mode & 0o777, 0o600, 'only the owner can read the file')
  const [alice, bob, carol] = [await login('ALICE'), await login('bob'), await login('carol')]
  t.strictSame([alice.id, bob.id, carol.id], [3, 7, 8])
  t.strictSame([alice.username, bob.username], ['alice', 'Bob'])
  t.match(await alice.history('bob'), [
    { id: 5, sender: 'alice', receiver: 'Bob', content: 'hello', timestamp: '2024-02-29T23:59:59.000Z' },
    { id: 6, sender: 'Bob', receiver: 'alice', content: 'hi', timestamp: '2024-03-01T00:00:00.123Z' },
  ])
  t.match(await alice.history('alice'), [{ id: 9, content: 'a note' }])
  t.match(await carol.history('alice'), [{ id: 12, timestamp: '2024-03-01T00:30:02.500Z' }])

  for (const person of [alice, bob, carol]) {
    for (const { unread_count, read_up_to, delivered_up_to, last_message } of await person.conversations()) {
      t.equal(unread_count, 0, 'imported messages are not unread')
      t.strictSame([read_up_to, delivered_up_to], [last_message?.id, last_message?.id])
    }
  }
  const sent = await bob.send('alice', 'new')
  t.ok(sent.id > 40, 'no id is assigned twice, including the id of a deleted message')
  t.equal(sent.conversation_id, (await alice.history('bob'))[0]?.conversation_id)
  t.equal((await login('new')).id > 8, true)
  await app.close()

  const again = await startServer(t, {}, folder)
  t.match(await (await again.login('alice')).history('bob'), [{ id: 5 }, { id: 6 }, { id: sent.id }])
})

t.test('imported names and contents that current rules refuse stay usable', async (t) => {
  const odd = ['with space', 'emoji \u{1f600}', 'x'.repeat(100), "o'hara/%", ' ', 'Zo\u0065\u0308']
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`
  const contents = ['', 'y'.repeat(10_000), 'line\nline']
  const { folder } = await firstFile(
    t,
    `${odd.map((name, n) => `insert into users values (${n + 1}, ${quote(name)});`).join('\n')}
     ${contents.map((text) => `insert into messages values (null, 1, 2, ${quote(text)}, '2024-01-01 00:00:00');`).join('\n')}`,
  )
  const { login } = await startServer(t, {}, folder)
  for (const [n, name] of odd.entries()) {
    const person = await login(name)
    t.equal(person.id, n + 1)
    const { body } = await person.call<SentMessage>('POST', '/send', {
      receiver_username: odd[0],
      content: name,
    })
    t.match(body, { status: 'sent', sender: name, receiver: odd[0] })
    t.match((await person.history(encodeURIComponent(odd[0] as string))).at(-1), { content: name })
  }
  const history = await (await login('with space')).history(encodeURIComponent('emoji \u{1f600}'))
  t.strictSame(
    history.slice(0, 3).map(({ content }) => content),
    contents,
  )
  t.equal((await login('ZO\u00cb')).id, 6, 'the name is found in each of its normal forms')
})

t.test('an empty database of the first server is taken over', async (t) => {
  const { folder } = await firstFile(t, '')
  const { login } = await startServer(t, {}, folder)
  t.match(await (await login('alice')).send('alice', 'note'), { status: 'sent' })
})

t.test('a row that cannot be imported stops the start by name, and the file is unchanged', async (t) => {
  const users = `insert into users values (1, 'alice'), (2, 'bob');`
  const message = (id: number, time: string, sender = 1, receiver = 2) =>
    `insert into messages values (${id}, ${sender}, ${receiver}, 'x', ${time});`
  const good = message(1, "'2024-01-01 00:00:00'")
  for (const [what, rows, sentence] of [
    ['a missing time', users + good + message(4, 'null'), /time is missing or not readable.* 4\.$/],
    [
      'an unreadable time',
      users + good + message(5, "'yesterday'"),
      /time is missing or not readable.* 5\.$/,
    ],
    ['an invalid day', users + message(6, "'2023-02-29 00:00:00'"), / 6\.$/],
    ['a time that is a number', users + message(7, '1700000000'), / 7\.$/],
    ['an unknown sender', users + good + message(8, "'2024-01-01 00:00:00'", 9), /does not exist.* 8\.$/],
    ['an unknown receiver', users + message(9, "'2024-01-01 00:00:00'", 1, 9), /does not exist.* 9\.$/],
    [
      'names that differ only in case',
      `insert into users values (1, 'Straße'), (2, 'STRASSE'), (3, 'x');`,
      /case: Straße and STRASSE\.$/,
    ],
    ['names in two normal forms', `insert into users values (1, 'zo\u00eb'), (2, 'zoe\u0308');`, /case: /],
    ['an id below 1', `insert into users values (-1, 'alice');`, /2\^53.* -1\.$/],
    [
      'many rows',
      users + Array.from({ length: 12 }, (_, n) => message(n + 1, 'null')).join(''),
      /: ?.*1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more\.$/,
    ],
  ] as const) {
    const { folder, file } = await firstFile(t, rows)
    const before = readFileSync(file)
    await t.rejects(
      openDatabase(`sqlite:${file}`, { maxQueue: 10 }),
      { kind: 'unusable', message: sentence },
      what,
    )
    t.ok(readFileSync(file).equals(before), `${what}: every byte is unchanged`)
    t.strictSame(
      readdirSync(folder).filter((name) => !name.endsWith('-lock')),
      ['messenger.db'],
      'no other file was created',
    )
    if (what === 'a missing time') {
      writeSql(file, 'delete from messages where id = 4')
      const { login } = await startServer(t, {}, folder)
      t.match(await (await login('alice')).history('bob'), [{ id: 1 }], 'the repaired file is taken over')
    }
  }
})

t.test('a row that only the import can check stops the start, and the file is unchanged', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'messenger.db')
  const row = `insert into messages values (1, 1, 1, 'x', '2024-01-01 00:00:00');`
  for (const [what, rows, sentence] of [
    [
      'another table',
      'create table members (id);',
      /The database is unchanged: table "?members"? already exists/,
    ],
    ['a duplicate id', row + row, /The database is unchanged: UNIQUE constraint failed: messages\.id/],
    ['no name', 'insert into users values (4, null);', /no name in the users 4\.$/],
    [
      'no content',
      `insert into messages values (4, 1, 1, null, '2024-01-01 00:00:00');`,
      /no content.* 4\.$/,
    ],
    ['no sender', `insert into messages values (4, null, 1, 'x', '2024-01-01 00:00:00');`, /exist.* 4\.$/],
    ['no receiver', `insert into messages values (4, 1, null, 'x', '2024-01-01 00:00:00');`, /exist.* 4\.$/],
    ['no id', `insert into users values (null, 'bob');`, /2\^53.* null\.$/],
  ] as const) {
    rmSync(file, { force: true })
    writeSql(file, `${LOOSE} insert into users values (1, 'alice'); ${rows}`)
    const before = readFileSync(file)
    for (const time of ['first', 'second']) {
      await t.rejects(
        openDatabase(`sqlite:${file}`, { maxQueue: 10 }),
        { kind: 'unusable', message: sentence },
        `${what}, attempt ${time}`,
      )
      t.ok(readFileSync(file).equals(before), `${what}: every byte is unchanged`)
    }
    t.strictSame(
      readdirSync(folder).filter((name) => !name.endsWith('-lock')),
      ['messenger.db'],
      'no other file was created',
    )
  }
})

t.test('a file without AUTOINCREMENT is taken over', async (t) => {
  const folder = await temporaryFolder(t)
  const message = `insert into messages values (9, 1, 1, 'a note', '2024-01-01 00:00:00');`
  writeSql(join(folder, 'messenger.db'), `${LOOSE} insert into users values (1, 'alice'); ${message}`)
  const alice = await (await startServer(t, {}, folder)).login('alice')
  t.ok((await alice.send('alice', 'another')).id > 9)
  t.match(await alice.history('alice'), [{ id: 9 }, { content: 'another' }])
})

t.test('a file with empty tables of a failed start is checked again', async (t) => {
  const { folder, file } = await firstFile(
    t,
    `create table kysely_migration (name, timestamp); create table kysely_migration_lock (id);
     insert into users values (1, 'bob'), (2, 'BOB');`,
  )
  await t.rejects(openDatabase(`sqlite:${file}`, { maxQueue: 10 }), { message: /case: bob and BOB\.$/ })
  writeSql(
    file,
    'drop table kysely_migration; drop table kysely_migration_lock; delete from users where id = 2',
  )
  t.equal((await (await startServer(t, {}, folder)).login('bob')).id, 1)
  const alone = await temporaryFolder(t)
  writeSql(join(alone, 'messenger.db'), 'create table kysely_migration (name, timestamp)')
  t.equal(
    (await (await startServer(t, {}, alone)).login('bob')).id,
    1,
    'a file with nothing else is completed',
  )
})

t.test('a half-written transaction of a killed first server is rolled back', async (t) => {
  const { folder, file } = await firstFile(t, `insert into users values (1, 'alice')`)
  const db = new Sqlite(file)
  // The transaction writes all pages to the file and has its journal beside it.
  db.exec(`pragma cache_size = 1; pragma cache_spill = 1; begin; update users set username = 'half';
    create table big (x); insert into big select zeroblob(9000) from (values (1), (2), (3), (4), (5), (6))`)
  const left = await temporaryFolder(t)
  for (const name of ['messenger.db', 'messenger.db-journal'])
    copyFileSync(join(folder, name), join(left, name))
  db.close()
  t.not(readFileSync(join(left, 'messenger.db-journal')).length, 0)
  t.equal((await (await startServer(t, {}, left)).login('alice')).id, 1)
})

t.test('a database of another program is left unchanged', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'messenger.db')
  for (const [sql, sentence] of [
    ['create table notes (id integer)', /database of another program: it has the tables notes/],
    [
      'create table users (id integer, email text); create table messages (id integer)',
      /no users\(id, username\)/,
    ],
  ] as const) {
    writeSql(file, sql)
    const before = readFileSync(file)
    await t.rejects(openDatabase(`sqlite:${file}`, { maxQueue: 10 }), { kind: 'unusable', message: sentence })
    t.ok(readFileSync(file).equals(before))
    writeSql(file, 'drop table if exists notes')
  }
})

t.test('a database of a newer server is left unchanged', async (t) => {
  const { app, folder } = await startServer(t)
  await app.close()
  const file = join(folder, 'messenger.db')
  writeSql(file, `insert into kysely_migration values ('9999-later', '2030-01-01')`)
  await t.rejects(openDatabase(`sqlite:${file}`, { maxQueue: 10 }), {
    kind: 'unusable',
    message: /written by a newer version of the server/,
  })
  t.match(readRows(file, 'select name from kysely_migration order by name desc limit 1'), [
    { name: '9999-later' },
  ])
})

t.test('times of the first server are converted to milliseconds', async (t) => {
  for (const [text, iso] of [
    ['2024-01-31 12:34:56', '2024-01-31T12:34:56.000Z'],
    ['2024-01-31T12:34:56Z', '2024-01-31T12:34:56.000Z'],
    ['2024-01-31T12:34:56.7+02:00', '2024-01-31T10:34:56.700Z'],
    ['2024-01-31 12:34:56.123456789-11:30', '2024-02-01T00:04:56.123Z'],
    ['0001-01-01 00:00:00', '0001-01-01T00:00:00.000Z'],
  ] as const) {
    t.equal(parseFirstTime(text), Date.parse(iso), text)
  }
  for (const text of [
    '',
    '2024-01-31',
    '2024-1-31 12:34:56',
    '2024-13-01 00:00:00',
    '2024-01-31 24:00:00',
    'now',
    7,
    null,
  ]) {
    t.equal(parseFirstTime(text), null, String(text))
  }
})

t.test('an operator sets the password of an imported account when passwords are required', async (t) => {
  const { folder } = await firstFile(
    t,
    `insert into users values (3, 'alice'), (7, 'bob');
     insert into messages values (5, 7, 3, 'hello', '2024-02-29 23:59:59');`,
  )
  const { call, login } = await startServer(t, { AUTH_MODE: 'password' }, folder)
  const logIn = (body: object) => call('POST', '/login', { body })
  t.match(await logIn({ username: 'alice' }), { status: 401 })
  t.match(
    await logIn({ username: 'alice', password: 'mine now' }),
    { status: 401 },
    'no password guess opens the account',
  )
  const { admin } = operator(folder, { AUTH_MODE: 'password' })
  t.match(await admin(['set-password', 'Alice'], 'open sesame\n'), { code: 0 })
  const alice = await login('alice', 'open sesame')
  t.equal(alice.id, 3)
  t.match(await alice.history('bob'), [{ id: 5, content: 'hello' }])
  t.match(await logIn({ username: 'bob', password: 'open sesame' }), { status: 401 }, 'no other account')
})
