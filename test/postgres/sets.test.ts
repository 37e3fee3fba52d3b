import t, { type Test } from 'tap'
import { connect } from '../../db/dialects/postgres/connection.ts'
import { migrate } from '../../db/dialects/postgres/migrations/index.ts'
import type { Run } from '../../db/dialects/postgres/rows.ts'
import { read, readColumnTypes, write } from '../../db/dialects/postgres/sets.ts'
import { compile } from '../../db/dialects/postgres/statements.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import * as users from '../../db/queries/users.ts'
import { type Query, query } from '../../db/query.ts'
import { withoutPostgres as skip } from '../support/postgres.ts'
import { createPostgres } from '../support/test-database.ts'

const run = <A>(query: Query<A, unknown>, args: A): Run => ({
  query: query,
  args: args as never,
  values: compile(query).bind(args as never),
  key: '',
})

let databases = 0

/** A connection to a new database which records the statements that it sends. */
const start = async (t: Test) => {
  databases += 1
  const url = await createPostgres(`sets-${databases}`)
  await migrate(url)
  const client = await connect(url)
  t.teardown(() => client.end())
  const sent: string[] = []
  const query = client.query.bind(client) as (...given: unknown[]) => never
  client.query = (given: string | { text: string }) => {
    sent.push(typeof given === 'string' ? given : given.text)
    return query(given)
  }
  const types = await readColumnTypes(client)
  sent.length = 0
  return {
    client,
    sent,
    read: (...runs: Run[]) => read(client, runs),
    write: (...runs: Run[]) => write(client, runs, types),
  }
}

const named = (id: number) =>
  run(users.insertUser, {
    id,
    username: `user${id}`,
    username_key: `user${id}`,
    password_hash: null,
    token_family: 'f',
    owner: null,
    display_name: null,
    display_key: null,
    avatar_url: null,
    metadata: null,
    profile_from: 0,
    now: 0,
    number: id,
  })
const userOf = (id: number) => run(users.userById, { id })
const message = (id: number, content: string, client_id: string | null = null) =>
  run(messages.insertMessage, {
    id,
    conversation_id: 1,
    sender_id: 1,
    content,
    timestamp: 0,
    client_id,
    reply_to: null,
    metadata: null,
  })
const names = (rows: unknown[][]) =>
  rows.map((found) => found.map((row) => (row as { username: string }).username))

t.test('reads of one query are one statement, and each read gets its rows', { skip }, async (t) => {
  const { sent, read, write } = await start(t)
  await write(named(1), named(2))
  sent.length = 0
  t.strictSame(names(await read(userOf(2), userOf(3), userOf(1), userOf(2))), [
    ['user2'],
    [],
    ['user1'],
    ['user2'],
  ])
  t.equal(sent.length, 1)
  sent.length = 0
  t.strictSame(names(await read(userOf(1), run(users.userByKey, { key: 'user2' }))), [['user1'], ['user2']])
  t.equal(sent.length, 2)
  t.strictSame(await read(), [])
})

t.test('a set has the rows of each read in the order of its query', { skip }, async (t) => {
  const { read, write, sent } = await start(t)
  const joined = (user_id: number, number: number) =>
    run(members.insertMember, {
      user_id,
      conversation_id: 1,
      number,
      role: 'member',
      delivered_up_to: 0,
      read_up_to: 0,
      announced_at: 0,
    })
  await write(named(1), named(2), named(3), joined(3, 1), joined(1, 2), joined(2, 3))
  sent.length = 0
  const of = (conversation_id: number) => run(members.membersOf, { conversation_id })
  t.strictSame(names(await read(of(1), of(2), of(1))), [
    ['user3', 'user1', 'user2'],
    [],
    ['user3', 'user1', 'user2'],
  ])
  const latest = (user_id: number) => run(members.latestPeriod, { user_id, conversation_id: 1 })
  t.match(await read(latest(2), latest(9), latest(1)), [[{ from_number: 3 }], [], [{ from_number: 2 }]])
  t.equal(sent.length, 2, 'a limit of the query itself is the same in each read')
})

t.test('reads whose limits differ are statements of their own', { skip }, async (t) => {
  const { sent, read, write } = await start(t)
  await write(named(1), named(2), named(3))
  sent.length = 0
  const some = (limit: number) => run(users.usersByPrefix, { from: 'u', to: 'v', limit })
  t.strictSame(names(await read(some(1), some(2))), [['user1'], ['user1', 'user2']])
  t.equal(sent.length, 2)
})

t.test('a set takes texts, bytes and nulls', { skip }, async (t) => {
  const { read, write } = await start(t)
  const group = (id: number, client_id: string | null, hash: Uint8Array | null) =>
    run(conversations.insertGroup, {
      id,
      title: `group ${id}`,
      key: null,
      metadata: null,
      member_count: 0,
      number: 0,
      creator_id: client_id === null ? null : 1,
      client_id,
      request_hash: hash,
    })
  await write(group(1, 'a', Buffer.from('hash')), group(2, null, null), group(3, 'b', Buffer.from([0, 255])))
  const key = (client_id: string) => run(conversations.groupByClientId, { client_id, creator_id: 1 })
  t.match(await read(key('b'), key('c'), key('a')), [
    [{ id: 3, request_hash: Buffer.from([0, 255]) }],
    [],
    [{ id: 1, request_hash: Buffer.from('hash') }],
  ])
  const none = run(messages.messageByClientId, { client_id: null, sender_id: 1 })
  t.strictSame(await read(none, none), [[], []], 'also where all values of a parameter are null')
})

t.test('bytes are a parameter of a set', { skip }, async (t) => {
  const { read } = await start(t)
  const byHash = query<{ hash: Uint8Array }>()((db, arg) =>
    db.selectFrom('conversations').select('id').where('request_hash', '=', arg('hash')),
  )
  const of = (hash: Buffer) => run(byHash, { hash })
  t.strictSame(await read(of(Buffer.from('a')), of(Buffer.from('b'))), [[], []])
})

t.test('inserts into a table are one statement until another write of the table', { skip }, async (t) => {
  const { client, sent, write } = await start(t)
  const edit = run(messages.editMessage, {
    id: 1,
    sender_id: 1,
    client_id: null,
    content: 'edited',
    edited_at: 1,
    number: 3,
    original_hash: Buffer.from('hash'),
  })
  await write(
    message(1, 'one'),
    named(1),
    message(2, 'two'),
    edit,
    message(4, 'four'),
    named(2),
    message(5, 'five'),
  )
  t.equal(sent.length, 4, sent.join('\n'))
  const { rows } = await client.query('select id, content from messages order by id')
  t.strictSame(rows, [
    { id: 1, content: 'edited' },
    { id: 2, content: 'two' },
    { id: 4, content: 'four' },
    { id: 5, content: 'five' },
  ])
  sent.length = 0
  await write(
    run(users.revokeToken, { jti: 'x', expires_at: 0 }),
    run(users.deleteRevokedTokens, { before: 1, limit: 1 }),
    run(users.revokeToken, { jti: 'y', expires_at: 0 }),
  )
  t.equal(sent.length, 3)
  t.strictSame((await client.query('select jti from revoked_tokens')).rows, [{ jti: 'y' }])
})

t.test('a set of inserts leaves out the rows that exist', { skip }, async (t) => {
  const { client, write } = await start(t)
  await write(message(1, 'one', 'k'))
  await write(message(2, 'again', 'k'), message(3, 'new', 'l'))
  t.strictSame((await client.query('select id from messages order by id')).rows, [{ id: 1 }, { id: 3 }])
})
