import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import t, { type Test } from 'tap'
import { contracts, migrate, migrations } from '../../db/dialects/postgres/migrations/index.ts'
import { openDatabase } from '../../db/open.ts'
import type { Conversation } from '../../schemas/conversation.ts'
import { query, withoutPostgres as skip } from '../support/postgres.ts'
import { type Server, startServer } from '../support/server.ts'
import { eventsAfter, headOf } from '../support/stream.ts'
import { createPostgres } from '../support/test-database.ts'

let databases = 0

/** @returns the URL of a new, empty database */
const emptyDatabase = () => {
  databases += 1
  return createPostgres(`migrated_${databases}`)
}

/** The parts of a schema by name, with the properties that must not change. */
type Schema = { tables: Set<string>; columns: Map<string, Column>; others: Map<string, string> }
type Column = { table: string; type: string; isNullable: boolean; hasDefault: boolean }

const readSchema = async (url: string): Promise<Schema> => {
  const own = (column: string) => `${column} = 'public'`
  const tables = await query(
    url,
    `select table_name from information_schema.tables where ${own('table_schema')}`,
  )
  const columns = await query(
    url,
    `select table_name, table_name || ': column ' || column_name as name, data_type || ' ' || coalesce(collation_name, '') as type, is_nullable,
       column_default is not null or is_identity = 'YES' as given
     from information_schema.columns where ${own('table_schema')}`,
  )
  const indexes = await query(
    url,
    `select tablename || ': index ' || indexname as name, indexdef as text from pg_indexes where ${own('schemaname')}`,
  )
  const constraints = await query(
    url,
    `select conrelid::regclass || ': constraint ' || conname as name, pg_get_constraintdef(oid) as text
     from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n'`,
  )
  return {
    tables: new Set(tables.map((row) => String(row.table_name))),
    columns: new Map(
      columns.map((row) => [
        String(row.name),
        {
          table: String(row.table_name),
          type: String(row.type),
          isNullable: row.is_nullable === 'YES',
          hasDefault: row.given === true,
        },
      ]),
    ),
    others: new Map([...indexes, ...constraints].map(({ name, text }) => [String(name), String(text)])),
  }
}

/** @returns the changes of a schema that may break a node of the previous version */
const obstacles = (before: Schema, after: Schema): string[] => {
  const found: string[] = []
  for (const table of before.tables) if (!after.tables.has(table)) found.push(`${table} is gone`)
  for (const [name, old] of before.columns) {
    const column = after.columns.get(name)
    if (!column) found.push(`${name} is gone`)
    else if (column.type !== old.type) found.push(`${name} has another type`)
    else if (column.isNullable !== old.isNullable) found.push(`${name} has another rule for null`)
    else if (old.hasDefault && !column.hasDefault) found.push(`${name} has no default`)
  }
  for (const [name, { table, isNullable, hasDefault }] of after.columns) {
    const isAdded = before.tables.has(table) && !before.columns.has(name)
    if (isAdded && !isNullable && !hasDefault) found.push(`${name} is not null and has no default`)
  }
  for (const [name, text] of before.others) {
    if (after.others.get(name) !== text) found.push(`${name} is gone or changed`)
  }
  for (const [name, text] of after.others) {
    const isAdded = before.tables.has(name.split(':')[0] as string) && !before.others.has(name)
    // A node of the previous version does not write the columns that were added.
    const isOfNewColumns = [...(/\((.*?)\)/.exec(text)?.[1] ?? '').matchAll(/\w+/g)].every(
      ([column]) => !before.columns.has(`${name.split(':')[0]}: column ${column}`),
    )
    if (isAdded && !text.startsWith('CREATE INDEX') && !isOfNewColumns)
      found.push(`${name} restricts a table that exists`)
  }
  return found
}

t.test(
  'every migration only adds, or names the migration that a node beside it must know',
  { skip },
  async (t) => {
    const url = await emptyDatabase()
    const known: Record<string, Migration> = {}
    for (const [name, migration] of Object.entries(migrations)) {
      const before = await readSchema(url)
      const needed = contracts(name)
      known[name] = migration
      await migrate(url, known)
      if (needed === undefined) t.strictSame(obstacles(before, await readSchema(url)), [], name)
      else
        t.ok(
          Object.keys(known).some((own) => own.startsWith(`${needed}-`) && own < name),
          name,
        )
    }
    t.strictSame(
      Object.keys(migrations),
      Object.keys(migrations).sort(),
      'they run in the order of their names',
    )
  },
)

t.test('the rule for migrations finds the changes that may break an older node', { skip }, async (t) => {
  const url = await emptyDatabase()
  await migrate(url)
  const allowed = [
    'alter table messages add column pinned_at bigint',
    'alter table messages add column pins bigint not null default 0',
    'create index messages_at on messages (timestamp)',
    'create table pins (id bigint primary key, note text not null)',
  ]
  const forbidden = {
    'drop table feed': ['feed: column last is gone', 'feed is gone'],
    'alter table feed rename to news': ['feed is gone'],
    'alter table messages drop column metadata': ['messages: column metadata is gone'],
    'alter table messages rename column metadata to extra': ['messages: column metadata is gone'],
    'alter table messages alter column metadata type jsonb using metadata::jsonb': [
      'messages: column metadata has another type',
    ],
    'alter table messages alter column reply_to set not null': [
      'messages: column reply_to has another rule for null',
    ],
    'alter table members alter column role drop not null': ['members: column role has another rule for null'],
    'alter table members alter column receipt_due drop default': [
      'members: column receipt_due has no default',
    ],
    'alter table messages add column pins bigint not null': [
      'messages: column pins is not null and has no default',
    ],
    'drop index messages_history': ['messages: index messages_history is gone or changed'],
    'alter index messages_history rename to messages_read': [
      'messages: index messages_history is gone or changed',
    ],
    'alter table conversations drop constraint direct_or_group': [
      'conversations: constraint direct_or_group is gone or changed',
    ],
    'alter table messages add constraint short check (length(content) < 10)': [
      'messages: constraint short restricts a table that exists',
    ],
    'create unique index messages_at on messages (timestamp)': [
      'messages: index messages_at restricts a table that exists',
    ],
  }
  const before = await readSchema(url)
  /** @returns the obstacles of a migration on a copy of the database */
  const obstaclesOf = async (statement: string) => {
    databases += 1
    const copy = `migrated_${databases}`
    await query(url, `create database ${copy} template ${new URL(url).pathname.slice(1)} strategy wal_log`)
    const copyUrl = new URL(copy, url).href
    await query(copyUrl, statement)
    return obstacles(before, await readSchema(copyUrl))
  }
  for (const statement of allowed) t.strictSame(await obstaclesOf(statement), [], statement)
  for (const [statement, expected] of Object.entries(forbidden)) {
    const found = await obstaclesOf(statement)
    for (const obstacle of expected) t.ok(found.includes(obstacle), `${statement}: ${found.join(', ')}`)
  }
})

t.test(
  'several nodes that start at once on an empty database migrate once and all serve',
  { skip },
  async (t) => {
    const url = await emptyDatabase()
    const nodes = await Promise.all(Array.from({ length: 4 }, () => startServer(t, { DATABASE_URL: url })))
    t.match(
      await query(url, 'select name from kysely_migration order by name'),
      Object.keys(migrations).map((name) => ({ name })),
    )
    t.match(await query(url, 'select count(*) as epochs from epochs'), [{ epochs: 1 }])
    await nodes[0]?.login('bob')
    for (const [index, node] of nodes.entries()) {
      const sent = await (await node.login(`user${index}`)).send('bob', 'hello')
      t.match(sent, { content: 'hello' }, `node ${index}`)
    }
  },
)

/** A migration of a later version. */
const statement = (text: string): Migration => ({
  async up(db: Kysely<unknown>) {
    await sql.raw(text).execute(db)
  },
})
/** @returns the migrations of a later version, which adds a column to each table of a migrated database */
const nextVersion = async (url: string) => {
  const tables = await query(
    url,
    "select tablename as name from pg_tables where schemaname = 'public' and tablename not like 'kysely%'",
  )
  const next: Record<string, Migration> = { ...migrations }
  for (const [index, name] of tables.map((row) => String(row.name)).entries()) {
    next[`${9000 + index}-add-${name}`] = statement(
      `alter table ${name} add column added bigint not null default 7`,
    )
  }
  return next
}

/** Reads and writes each kind of row. */
const useEverything = async (t: Test, server: Server, round: string) => {
  const alice = await server.login(`alice-${round}`)
  const bob = await server.login(`bob-${round}`)
  const cursor = await headOf(alice)
  const socket = await alice.connect()
  const sent = await bob.send(alice.username, 'hello', { client_id: round })
  await socket.wait('message', ({ id }) => id === sent.id)
  const again = await bob.send(alice.username, 'hello', { client_id: round })
  t.equal(again.id, sent.id)
  t.equal((await bob.call('PATCH', `/messages/${sent.id}`, { content: 'Hello' })).status, 200)
  t.match(await alice.history(bob.username), [{ id: sent.id, content: 'Hello' }])
  const id = sent.conversation_id
  t.equal((await alice.call('PUT', `/conversations/${id}/receipt`, { read_up_to: sent.id })).status, 200)
  const { body: group } = await alice.call<Conversation>('POST', '/groups', { title: 'Group', members: [] })
  t.equal((await alice.call('PUT', `/groups/${group.id}/members/${bob.username}`)).status, 200)
  t.equal((await bob.send(group.id, 'to all')).conversation_id, group.id)
  t.equal((await alice.call('DELETE', `/groups/${group.id}/members/${bob.username}`)).status, 204)
  t.equal((await bob.call('GET', `/conversations/${group.id}/messages`)).status, 200)
  t.equal((await alice.call('PUT', `/blocks/${bob.username}`)).status, 200)
  t.equal((await bob.call('POST', '/send', { receiver_username: alice.username, content: 'x' })).status, 403)
  t.equal((await alice.call('DELETE', `/blocks/${bob.username}`)).status, 204)
  t.equal((await alice.conversations()).length, 2)
  t.match((await eventsAfter(alice, cursor)).filter(({ type }) => type === 'message').length, 2)
  t.equal((await bob.call('POST', '/logout')).status, 204)
  t.equal((await bob.call('GET', '/users/me')).status, 401)
  await socket.close()
}

t.test('a node serves on while a newer version adds to the schema, and starts on it', { skip }, async (t) => {
  const url = await emptyDatabase()
  const server = await startServer(t, { DATABASE_URL: url })
  // Each connection has prepared its statements for the old columns.
  for (const round of ['1', '2', '3']) await useEverything(t, server, round)
  const next = await nextVersion(url)
  await migrate(url, next)
  t.match(await query(url, 'select added from members limit 1'), [{ added: 7 }])
  for (const round of ['4', '5', '6']) await useEverything(t, server, round)
  const restarted = await startServer(t, { DATABASE_URL: url })
  await useEverything(t, restarted, '7')
  t.match(await query(url, 'select count(*) as n from kysely_migration'), [{ n: Object.keys(next).length }])
})

t.test('a node refuses a schema from which a newer version removed what it uses', { skip }, async (t) => {
  const url = await emptyDatabase()
  const expanded = { ...migrations, '9001-titles-unused': { up: async () => {} } }
  const contracted = { ...expanded, '9002-contract-9001-titles': { up: async () => {} } }
  await migrate(url, contracted)
  await migrate(url, expanded)
  t.pass('a node of the version before it starts')
  await t.rejects(openDatabase(url, { maxQueue: 1 }), {
    kind: 'unusable',
    message:
      "The database was written by a newer version of the server, which this version can't run beside: 9002-contract-9001-titles. Start the newer version.",
  })
  await t.rejects(migrate(url, { ...migrations, '9000-of-a-branch': { up: async () => {} } }), {
    kind: 'unusable',
    message: /can't run beside: 9000-of-a-branch\./,
  })
})

t.test('a failed migration leaves the schema as it was', { skip }, async (t) => {
  const url = await emptyDatabase()
  await migrate(url)
  const before = await readSchema(url)
  const failing = { ...(await nextVersion(url)), '9999-fails': statement('select 1 / 0') }
  await t.rejects(migrate(url, failing), { message: 'division by zero' })
  t.strictSame(await readSchema(url), before)
})
