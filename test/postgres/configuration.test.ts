import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase } from '../../db/open.ts'
import { checkServer, checkSessions } from '../../db/dialects/postgres/checks.ts'
import { withoutPassword } from '../../db/url.ts'
import { operator } from '../support/operator.ts'
import {
  EXTENSION_TABLE,
  GUARDED,
  query,
  startPostgres,
  withoutPostgres as skip,
} from '../support/postgres.ts'
import { freePort, startProcess } from '../support/process.ts'
import { call, temporaryFolder } from '../support/server.ts'

const open = (url: string) => openDatabase(url, { maxQueue: 10 })

t.test('a URL of a database is shown without its password', async (t) => {
  for (const [url, text] of [
    ['sqlite:some:file@x.db', 'sqlite:some:file@x.db'],
    ['postgres://me:secret@db.example:5432/chat', 'postgres://me@db.example:5432/chat'],
    ['postgres://me:sec%40ret@db/chat?sslmode=require', 'postgres://me@db/chat?sslmode=require'],
    ['postgresql:///chat?host=/run&password=secret', 'postgresql:///chat?host=%2Frun'],
    ['mysql://me:secret@db/chat', 'mysql://me@db/chat'],
    ['postgres://me:sec@ret@db:port/chat?password=secret', 'postgres://…@db:port/chat'],
    ['me:secret@db/chat', '…@db/chat'],
    ['messenger.db', 'messenger.db'],
  ] as const) {
    t.equal(withoutPassword(url), text)
  }
})

t.test('an invalid DATABASE_URL is refused with the valid forms', async (t) => {
  for (const url of ['mysql://me:secret@db/chat', 'me:secret@db/chat', 'messenger.db', 'sqlite:', '']) {
    const error = await open(url).catch((error: Error) => error)
    t.match(error, {
      kind: 'unusable',
      message: /DATABASE_URL is ".*sqlite:messenger\.db.*postgres:\/\/user/,
    })
    t.notMatch((error as Error).message, 'secret')
  }
  const unparsable = await open('postgres://me:secret@db:port/chat').catch((error: Error) => error)
  t.match(unparsable, { kind: 'unusable', message: /postgres:\/\/…@db:port\/chat can't be opened/ })
})

t.test('a server older than 14 is refused', async (t) => {
  const settings = { encoding: 'UTF8', fsync: 'on', commit: 'on', standby: 0 }
  const check = (version: number) =>
    checkServer({ query: async () => ({ rows: [{ ...settings, version }] }) } as never)
  await t.rejects(check(130_022), { kind: 'unusable', message: /is PostgreSQL 13\. Messenger needs 14/ })
  await check(140_000)
})

t.test('a pool that shares sessions between connections is refused', async (t) => {
  const session = (pid: number) => ({ query: async () => ({ rows: [{ pid }] }) }) as never
  await checkSessions([session(1), session(2)])
  await t.rejects(checkSessions([session(1), session(1)]), {
    kind: 'unusable',
    message: /pool_mode = transaction.*Set pool_mode = session/,
  })
})

t.test('backup and restore name the tools of PostgreSQL', async (t) => {
  const commands = operator('.', { DATABASE_URL: 'postgres://me:secret@db/chat' })
  const backup = await commands.backup('file')
  t.match(backup, { code: 1, out: '', err: /pg_dump.*pg_basebackup.*WAL.*OPERATIONS\.md/ })
  const restore = await commands.restore('file')
  t.match(restore, { code: 1, out: '', err: /pg_restore.*point-in-time.*CURSOR_UNKNOWN.*revoke-tokens/ })
  t.notMatch(backup.err + restore.err, 'secret')
})

t.test('a database that cannot be used is refused with an explanation', { skip }, async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.end())
  const run = (sql: string, database = 'postgres') => query(server.url(database), sql)
  const create = async (name: string, options = '') => {
    await run(`create database ${name} template template0 ${options}`)
    return server.url(name)
  }
  const fails = async (t: Test, url: string, message: RegExp) => {
    const error = await open(url).then(
      ({ close }) => close().then(() => 'opened'),
      (error: Error) => error,
    )
    t.match(error, { kind: 'unusable', message })
    t.notMatch((error as Error).message, /secret|password of the tests/)
  }

  t.test('no such database', (t) => fails(t, server.url('nothing'), /\/nothing .* does not exist.*createdb/))
  t.test('wrong password', (t) =>
    fails(t, server.url('postgres', { ...GUARDED, password: 'secret' }), /the name or the password/),
  )
  t.test('no password', (t) =>
    fails(t, server.url('postgres', { user: GUARDED.user }), /wants a password, and DATABASE_URL has none/),
  )
  t.test('unknown user', (t) =>
    fails(t, server.url('postgres', { user: 'nobody' }), /refuses this user.*pg_hba\.conf/),
  )
  t.test('nothing listens', async (t) => {
    const port = await freePort()
    await fails(t, `postgres://me:secret@127.0.0.1:${port}/x`, /No PostgreSQL answers there: .*ECONNREFUSED/)
  })
  t.test('an option that the server does not know', async (t) => {
    const url = await create('options')
    await fails(t, `${url}?options=-c%20no_such_setting=1`, /PostgreSQL says: .*no_such_setting/)
  })
  t.test('another encoding', async (t) => {
    const url = await create('latin', "encoding 'LATIN1' locale_provider libc locale 'C'")
    await fails(t, url, /encoding LATIN1.*--encoding=UTF8/)
  })
  for (const value of ['off', 'local', 'remote_write']) {
    t.test(`synchronous_commit = ${value}`, async (t) => {
      const name = `commit_${value}`
      const url = await create(name)
      await run(`alter database ${name} set synchronous_commit = ${value}`)
      await fails(t, url, new RegExp(`synchronous_commit = ${value}.*Set it to on`))
    })
  }
  t.test('too many connections', async (t) => {
    await create('crowded')
    await run('create role crowd login connection limit 0')
    await fails(t, server.url('crowded', { user: 'crowd' }), /no free connection.*DATABASE_CONNECTIONS/)
  })
  t.test('a user without rights', async (t) => {
    const url = await create('closed')
    await run('create role poor login')
    await run('revoke create on schema public from public', 'closed')
    const poor = server.url('closed', { user: 'poor' })
    await fails(t, poor, /lacks a right: .*permission denied.*ALTER DATABASE NAME OWNER TO USER/)
    const { close } = await open(url)
    await close()
    await fails(t, poor, /lacks a right: permission denied for/)
  })
  t.test('the owner of the database needs no other right', async (t) => {
    await run('create role owner_of_it login')
    await create('owned', 'owner owner_of_it')
    const { close } = await open(server.url('owned', { user: 'owner_of_it' }))
    await close()
    t.pass('opened')
  })
  t.test('tables of another program', async (t) => {
    const url = await create('other')
    await run('create table users (id int)', 'other')
    await fails(t, url, /belongs to another program: it has the table "users"/)
    await run('create table kysely_migration (name text); insert into kysely_migration values (1)', 'other')
    await fails(t, url, /belongs to another program: it has the table "users"/)
    t.strictSame(await run("select relname from pg_class where relname = 'messages'", 'other'), [])
  })
  t.test('a table of an extension is not content', async (t) => {
    const url = await create('extended')
    await run(EXTENSION_TABLE, 'extended')
    await (await open(url)).close()
    await (await open(url)).close()
    t.match(await run('select count(*) as n from spatial_ref_sys', 'extended'), [{ n: 1 }])
  })
  t.test('a schema of a newer version', async (t) => {
    const url = await create('newer')
    await (await open(url)).close()
    await (await open(url)).close()
    await run("insert into kysely_migration values ('9999-contract-9998-future', now())", 'newer')
    await fails(t, url, /newer version.*9999-contract-9998-future/)
  })
  t.test('a server prints the sentence and ends, and logs no password', async (t) => {
    const folder = await temporaryFolder(t)
    const start = (url: string) => startProcess(t, folder, { DATABASE_URL: url })
    const secret = { ...GUARDED, password: 'secret' }
    const error = await start(server.url('postgres', secret)).catch((error: Error) => error)
    t.match(error, { message: /ended before it listened: The database postgres:\/\/guarded@.*password/ })
    t.notMatch((error as Error).message, /secret| at /)
    await create('guarded', 'owner guarded')
    const { url, output, child, exited } = await start(server.url('guarded', GUARDED))
    t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
    child.kill('SIGTERM')
    t.match(await exited, { code: 0 })
    t.match(output(), /database: postgres:\/\/guarded@127\.0\.0\.1/)
    t.notMatch(output(), /password(%20| )of/)
  })
})

t.test('a server whose settings lose commits, and a standby, are refused', { skip }, async (t) => {
  const server = await startPostgres()
  t.teardown(() => server.end())
  const url = server.url('postgres')
  await query(url, 'alter system set fsync = off')
  await query(url, 'select pg_reload_conf()')
  while ((await query(url, 'show fsync'))[0]?.fsync === 'on');
  await t.rejects(open(url), { kind: 'unusable', message: /fsync = off.*Set it to on/ })
  const signal = join(server.folder, 'data', 'standby.signal')
  await server.stop()
  writeFileSync(signal, '')
  await server.start()
  await t.rejects(open(url), { kind: 'unusable', message: /is a standby.*Connect to the primary/ })
  await server.stop()
  rmSync(signal)
})
