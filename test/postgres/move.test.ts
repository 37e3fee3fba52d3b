import { readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Session } from '../../schemas/account.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import type { Message } from '../../schemas/message.ts'
import { migrate } from '../../db/dialects/postgres/migrations/index.ts'
import { revokeEveryToken } from '../../src/chat/administration.ts'
import { readRows, writeSql } from '../support/database.ts'
import { listen } from '../support/listen.ts'
import { operator } from '../support/operator.ts'
import { EXTENSION_TABLE, GUARDED, query, withoutPostgres as skip } from '../support/postgres.ts'
import { startProcess } from '../support/process.ts'
import { createApp } from '../support/server-key.ts'
import { call, logIn, type Person, person, startServer, temporaryFolder } from '../support/server.ts'
import { eventsAfter, headOf } from '../support/stream.ts'
import { createPostgres } from '../support/test-database.ts'

let databases = 0

/** @returns the URL of a new, empty database */
const emptyDatabase = () => {
  databases += 1
  return createPostgres(`moved_${databases}`)
}

/** @returns the tables of a target that have rows */
const filledTables = async (url: string): Promise<string[]> => {
  const tables = await query(
    url,
    "select table_name::text as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' and table_name not like 'kysely%' order by 1",
  )
  const filled: string[] = []
  for (const name of tables.map((row) => String(row.name))) {
    if ((await query(url, `select 1 from ${name} limit 1`)).length > 0) filled.push(name)
  }
  return filled
}

/** A stopped server with a few rows. @returns its folder, and a move of its database */
const stoppedServer = async (t: Test) => {
  const { app, folder, login } = await startServer(t)
  await login('bob')
  await (await login('alice')).send('bob', 'hello')
  await app.close()
  return { folder, path: join(folder, 'messenger.db'), move: moveOf(folder) }
}

const moveOf = (folder: string) => {
  const { admin } = operator(folder, { DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}` })
  return (target: string, ...options: string[]) => admin(['move', target, ...options])
}

/** Everything that a user can read, except cursors. */
const viewOf = async (user: Person) => {
  const conversations = await user.conversations()
  const pages = conversations.map(async ({ id }) => ({
    messages: (await user.call('GET', `/conversations/${id}/messages`)).body,
    members: (await user.call('GET', `/conversations/${id}/members`)).body,
  }))
  return {
    conversations,
    pages: await Promise.all(pages),
    blocks: (await user.call('GET', '/blocks')).body,
    users: (await user.call('GET', '/users')).body,
  }
}

/** Removes the cursor, which names the epoch of the server that issued it. */
const withoutCursor = ({ cursor: _, ...event }: SyncPage['events'][number]) => event

t.test('devices continue on PostgreSQL after a move', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  // Two starts: the database has several epochs.
  await (await startServer(t, {}, folder)).app.close()
  const old = await startServer(t, {}, folder)
  await revokeEveryToken(old.app.chat)
  const alice = await old.login('alice')
  const bob = await old.login('bob', 'correct horse')
  const carol = await old.login('carol')
  const gone = await old.login('gone')

  const first = await alice.send('bob', 'first ✓ \\u0000 "quoted" \n', {
    client_id: 'a1',
    metadata: { color: 'red', deep: [1, { x: null }] },
  })
  const id = first.conversation_id
  const answer = await bob.send('alice', 'answer', { reply_to: first.id, client_id: 'b1' })
  const edited = await alice.send('bob', 'frist', { client_id: 'a2' })
  await alice.call('PATCH', `/messages/${edited.id}`, { content: 'first' })
  const deleted = await bob.send('alice', 'oops', { client_id: 'b2' })
  await bob.call('DELETE', `/messages/${deleted.id}`)
  await bob.call('PUT', `/conversations/${id}/receipt`, { read_up_to: answer.id })
  await bob.call('PATCH', '/users/me', { display_name: 'Bob' })
  await alice.send('gone', 'farewell')
  await gone.call('DELETE', '/users/me')
  const group = { title: 'Climbing', members: ['bob', 'carol'] }
  const key = { 'idempotency-key': 'g1' }
  const { body: made } = await alice.call<Conversation>('POST', '/groups', group, key)
  await alice.send(made.id, 'to all')
  await alice.call('DELETE', `/groups/${made.id}/members/carol`)
  await alice.send(made.id, 'not to carol')
  await carol.call('PUT', '/blocks/alice')
  const other = person(t, old.url, await logIn(old.url, 'alice'))
  await other.call('POST', '/logout')
  const app = await createApp(old)
  const webhook = { url: 'https://app.invalid/webhooks', types: ['report.created'] }
  t.equal((await app.call('PUT', '/webhooks/reports', webhook)).status, 200)
  t.equal((await bob.call('POST', `/messages/${edited.id}/reports`, { reason: 'spam' })).status, 200)

  const cursor = await headOf(alice)
  const missed = [await bob.send('alice', 'missed 1'), await bob.send(made.id, 'missed 2')]
  const people = [alice, bob, carol]
  const before = await Promise.all(people.map(viewOf))
  const missedEvents = await eventsAfter(alice, cursor)
  await old.app.close()
  const path = join(folder, 'messenger.db')
  const [counter] = readRows(path, 'select last from counter')
  const bytes = readFileSync(path)

  const target = await emptyDatabase()
  const moved = await moveOf(folder)(target)
  t.match(moved, {
    code: 0,
    out: /^All 12 tables are moved\. The rows and digests on both sides are equal\./,
  })
  t.match(moved.err, /^messages: 9 rows, SHA-256 [0-9a-f]{64}$/m)
  const tables = [
    'blocks',
    'conversations',
    'epochs',
    'members',
    'messages',
    'reports',
    'revoked_tokens',
    'server_keys',
    'token_eras',
    'users',
    'webhooks',
  ]
  t.strictSame(await filledTables(target), [...tables, 'commits', 'settings'].sort())
  t.ok(readFileSync(path).equals(bytes), 'the source is unchanged')
  for (const name of tables) {
    const order = name === 'revoked_tokens' || name === 'token_eras' ? '1' : '1, 2, 3'
    const rows = await query(target, `select * from ${name} order by ${order}`)
    t.strictSame(
      rows.map(({ incarnation: _, ...row }) => row),
      readRows(path, `select * from ${name} order by ${order}`),
      name,
    )
  }
  t.match(await query(target, 'select last from commits'), [counter], 'the counter continues')
  const [times] = await query(target, "select profile_from from users where username = 'bob'")
  t.ok(Number(times?.profile_from) > 0, 'an older token does not change the profile there either')

  const server = await startServer(t, { DATABASE_URL: target })
  const on = (user: Person) => person(t, server.url, user.session)
  const [newAlice, newBob, newCarol] = people.map(on) as [Person, Person, Person]

  t.strictSame(
    await Promise.all([newAlice, newBob, newCarol].map(viewOf)),
    before,
    'everybody reads the same',
  )
  const resumed = await eventsAfter(newAlice, cursor)
  t.strictSame(resumed.map(withoutCursor), missedEvents.map(withoutCursor), 'a cursor gives what was missed')
  t.match(
    resumed,
    missed.map(({ id }) => ({ type: 'message', id })),
  )
  t.equal((await on(other).call('GET', '/users/me')).status, 401, 'an ended token stays ended')
  t.equal((await on(gone).call('GET', '/users/me')).status, 401)
  t.match(
    await call<Session>(server.url, 'POST', '/login', {
      body: { username: 'bob', password: 'correct horse' },
    }),
    { status: 200, body: { user: { id: bob.id } } },
  )
  t.not((await call(server.url, 'POST', '/login', { body: { username: 'gone' } })).status, 200)

  for (const [user, sent, content] of [
    [newAlice, first, 'first ✓ \\u0000 "quoted" \n'],
    [newAlice, edited, 'frist'],
    [newBob, deleted, 'oops'],
  ] as const) {
    const receiver = user === newAlice ? 'bob' : 'alice'
    const more = sent === first ? { metadata: { color: 'red', deep: [1, { x: null }] } } : {}
    const again = await user.send(receiver, content, { client_id: sent.client_id, ...more })
    t.equal(again.id, sent.id, 'a repeat is the original message')
  }
  const repeated = await newAlice.call<Conversation>('POST', '/groups', group, key)
  t.equal(repeated.body.id, made.id, 'a repeat is the original group')

  const cursorNow = await headOf(newAlice)
  const next = await newBob.send('alice', 'next')
  t.equal(next.id, Number(counter?.last) + 1, 'numbers continue')
  t.match(await eventsAfter(newAlice, cursorNow), [{ type: 'message', id: next.id }])
  const dan = await server.login('dan')
  t.equal(dan.id, gone.id + 1, 'ids of users continue')
  const { body: later } = await newAlice.call<Conversation>('POST', '/groups', {
    title: 'Later',
    members: [],
  })
  t.equal(later.id, made.id + 1, 'ids of conversations continue')
  t.equal(
    (await newAlice.call<Message>('POST', '/send', { receiver_username: 'carol', content: 'hi' })).status,
    403,
  )
})

t.test('a move of more rows than fit into memory at once reports its progress', { skip }, async (t) => {
  const { path, move } = await stoppedServer(t)
  const long = 'x'.repeat(300_000)
  writeSql(
    path,
    `with recursive n(id) as (select 1000 union all select id + 1 from n where id < 101000)
     insert into messages (id, conversation_id, sender_id, content, timestamp)
     select id, 1, 1, iif(id < 1010, '${long}', 'message ' || id), id from n;
     insert into revoked_tokens values ('b', 1), ('B', 2), ('a-', 3), ('a', 4), ('é', 5);
     update counter set last = 101000`,
  )
  const target = await emptyDatabase()
  const { code, out, err } = await move(target, '--json')
  t.equal(code, 0)
  t.match(err, /^messages: 10\d{4} of 100002 rows$/m)
  const { done, tables } = JSON.parse(out)
  t.equal(done, 'move')
  t.match(
    tables.find(({ name }: { name: string }) => name === 'messages'),
    { rows: 100_002, digest: /^[0-9a-f]{64}$/ },
  )
  t.strictSame(
    await query(target, 'select count(*) as n, max(length(content)) as l from messages where sender_id = 1'),
    [{ n: 100_001, l: 300_000 }],
  )
})

t.test('a move of the database of a killed server has its last commits', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const { child, exited, url } = await startProcess(t, folder)
  const { token } = await logIn(url, 'alice')
  const sent = await call<Message>(url, 'POST', '/send', {
    token,
    body: { receiver_username: 'alice', content: 'last' },
  })
  child.kill('SIGKILL')
  await exited
  t.ok(statSync(join(folder, 'messenger.db-wal')).size > 0, 'they are in the log of the database')
  const target = await emptyDatabase()
  t.match(await moveOf(folder)(target), { code: 0 })
  t.match(await query(target, 'select id, content from messages'), [{ id: sent.body.id, content: 'last' }])
})

t.test('a move without a stored secret moves none', { skip }, async (t) => {
  const { app, folder } = await startServer(t, {
    JWT_SECRET: 'a secret of the environment, 32 bytes or more',
  })
  await app.close()
  const target = await emptyDatabase()
  t.match(await moveOf(folder)(target), { code: 0 })
  t.strictSame(await filledTables(target), ['commits', 'epochs'])
})

/** A proxy of the database that cuts a connection once its client has sent each marker in turn. */
const cuttingProxy = async (t: Test, target: string, markers: string[], isSent: boolean) => {
  const { hostname, port, username, pathname } = new URL(target)
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const left = [...markers]
    client.on('data', (chunk) => {
      while (left.length > 0 && chunk.includes(left[0] as string)) left.shift()
      if (left.length > 0) upstream.write(chunk)
      else {
        client.destroy()
        // The database runs the last statement, and its answer is lost.
        if (isSent) upstream.end(chunk)
        else upstream.destroy()
      }
    })
    upstream.on('data', (chunk) => client.write(chunk))
    client.on('close', () => upstream.end())
    upstream.on('close', () => client.destroy())
    for (const socket of [client, upstream]) socket.on('error', () => {})
  })
  return `postgres://${username}@${new URL(await listen(t, server)).host}${pathname}`
}

t.test('a move whose connection is cut leaves nothing, and can be repeated', { skip }, async (t) => {
  const { move } = await stoppedServer(t)
  const target = await emptyDatabase()
  for (const marker of ['insert into "messages"', 'declare moved', 'insert into commits']) {
    const proxy = await cuttingProxy(t, target, [marker], false)
    t.match(await move(proxy), { code: 1, err: /The move failed, and postgres:\S+ is still empty: / }, marker)
    t.strictSame(await filledTables(target), [])
  }
  t.match(await move(target), { code: 0 })
  t.match(await query(target, 'select max(number) as n, count(*) as c from epochs'), [{ n: 1, c: 1 }])
})

t.test('a move whose commit is not answered explains how to learn the result', { skip }, async (t) => {
  const { move } = await stoppedServer(t)
  const target = await emptyDatabase()
  const proxy = await cuttingProxy(t, target, ['insert into commits', 'commit\0'], true)
  t.match(await move(proxy), {
    code: 1,
    err: /was lost during the commit: .* Repeat the move: if the database is then not empty/,
  })
  const repeated = await move(target)
  t.match(repeated, { code: 1, err: /is not empty: it has rows in the table commits\./ })
})

t.test('a move that finds other rows than it wrote fails', { skip }, async (t) => {
  const { move } = await stoppedServer(t)
  const target = await emptyDatabase()
  await migrate(target)
  await query(
    target,
    `create function shout() returns trigger language plpgsql as $$begin new.content := upper(new.content); return new; end$$;
     create trigger shout before insert on messages for each row execute function shout()`,
  )
  t.match(await move(target), {
    code: 1,
    err: /is still empty: the table messages has 1 rows of 1, with the digest [0-9a-f]+, not [0-9a-f]+/,
  })
  t.strictSame(await filledTables(target), [])
})

t.test('a move into a database that has only tables of an extension succeeds', { skip }, async (t) => {
  const { move } = await stoppedServer(t)
  const target = await emptyDatabase()
  await query(target, EXTENSION_TABLE)
  t.match(await move(target), { code: 0 })
  t.match(await query(target, 'select srid from spatial_ref_sys'), [{ srid: 4326 }])
  t.match(await move(target), { code: 1, err: /is not empty: it has rows in the table commits\./ })
})

t.test('a move that is not possible is refused with an explanation', { skip }, async (t) => {
  const { folder, path, move } = await stoppedServer(t)
  const empty = await emptyDatabase()
  const refused = async (target: string, sentence: RegExp | string) => {
    const { code, out, err } = await move(target)
    t.match({ code, out, err }, { code: 1, out: '', err: sentence }, String(sentence))
    t.strictSame(await filledTables(empty), [])
  }

  await refused('sqlite:other.db', 'The target "sqlite:other.db" is not a PostgreSQL database.')
  t.match(await operator(folder, { DATABASE_URL: empty }).admin(['move', empty]), {
    code: 1,
    err: /^DATABASE_URL names a PostgreSQL database\. It must name the SQLite database to move/,
  })
  t.match(await operator(folder, { DATABASE_URL: 'sqlite:none.db' }).admin(['move', empty]), {
    code: 1,
    err: /There is no database/,
  })
  await refused(new URL('nowhere', empty).href, /can't be opened\. This database does not exist/)
  const wrong = Object.assign(new URL(empty), { username: GUARDED.user, password: 'wrong' })
  await refused(
    wrong.href,
    /postgres:\/\/guarded@\S+ can't be opened\. The server refuses the name or the password/,
  )

  const other = await emptyDatabase()
  await query(other, 'create table invoices (id int)')
  await refused(
    other,
    /is not empty: it has the table invoices of another program\. Move into a new database/,
  )
  await query(other, 'create table kysely_migration (name text)')
  await refused(other, /is not empty: it has the table invoices of another program\./)
  const used = await emptyDatabase()
  await (await startServer(t, { DATABASE_URL: used })).app.close()
  await refused(used, /is not empty: it has rows in the table \w+\./)

  const server = await startServer(t, {}, folder)
  await refused(empty, /is in use by another server\. Stop that server first/)
  await server.app.close()

  writeSql(path, "update messages set content = 'a' || char(0) || 'b'")
  await refused(empty, /the character U\+0000, which is in content of 1 rows of messages\. .* --replace-nul/)
  const replaced = await emptyDatabase()
  t.match(await move(replaced, '--replace-nul'), { code: 0 })
  t.strictSame(await query(replaced, 'select content from messages'), [{ content: 'a\uFFFDb' }])

  writeSql(path, "insert into kysely_migration values ('9999-later', '2026-11-24T00:00:00.000Z')")
  await refused(empty, /has the schema of another version of the server\. Start this version with it once/)
  writeSql(path, "delete from kysely_migration where name = '9999-later'")

  writeSql(path, 'pragma foreign_keys = off; delete from users where id = 1')
  await refused(empty, /messenger\.db is damaged: row \w+ of \w+ has no row in users/)
})
