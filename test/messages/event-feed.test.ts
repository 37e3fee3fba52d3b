import t from 'tap'
import { type FeedEvent, feedEvents, type FeedPage } from '../../schemas/feed.ts'
import { readHead } from '../../src/chat/cursors.ts'
import { readFeed } from '../../src/chat/event-feed.ts'
import { committerOf, createGate, wrapReads } from '../support/reads.ts'
import * as feed from '../../db/queries/feed.ts'
import { createApp } from '../support/server-key.ts'
import { type Person, type Server, startServer } from '../support/server.ts'
import { receiptsPublished } from '../support/stream.ts'
import { write } from '../support/test-database.ts'
import { seededRandom } from '../support/unreliable-proxy.ts'

const ENV = { RATE_LIMIT_SEND: '0', RATE_LIMIT_CHANGES: '0', RATE_LIMIT_LOGIN: '0' }
const MiB = 1024 * 1024

/** What an event is about: its type and its row. */
const keyOf = (event: FeedEvent): string => {
  if ('message' in event) return `${event.type} ${event.message.id}`
  if ('conversation' in event) return `${event.type} ${event.conversation.id}`
  if ('user' in event) return `${event.type} ${event.user.id}`
  if ('report' in event) return `${event.type} ${event.report.id}`
  return `${event.type} ${event.conversation_id} ${event.username}`
}

/** Each number of each row, in the order of the feed. */
const ROWS = [
  `select created_number as number, 1 as part, 'user.created' as type, id as one, '' as two from users`,
  `select changed, 1, case when removed_at is null then 'user.updated' else 'user.removed' end, id, '' from users where changed <> created_number`,
  `select created, 2, 'conversation.created', id, '' from conversations`,
  `select changed, 2, 'conversation.updated', id, '' from conversations where changed <> created`,
  `select from_number, 3, 'member.joined', conversation_id, username from members join users on id = user_id`,
  `select to_number, 4, 'member.left', conversation_id, username from members join users on id = user_id where to_number < ${Number.MAX_SAFE_INTEGER}`,
  `select id, 5, 'message.created', id, '' from messages`,
  `select changed, 6, case when deleted_at is null then 'message.updated' else 'message.deleted' end, id, '' from messages where changed is not null`,
  `select receipt_number, 7, 'receipt.updated', conversation_id, username from members join users on id = user_id where receipt_number > 0`,
  `select id, 8, 'report.created', id, '' from reports`,
]

/** @returns the events that the rows stand for: their number and their key */
const expectedOf = async ({ rows }: Server) => {
  const found = await rows(
    `select * from (${ROWS.join(' union all ')}) as changes where number > 0 order by number, part`,
  )
  const users = new Map((await rows('select id, username from users')).map((row) => [row.username, row.id]))
  return found
    .map(({ number, part, type, one, two }) => ({
      number: Number(number),
      part: Number(part),
      member: Number(users.get(two) ?? 0),
      key: [type, one, two].filter((text) => text !== '').join(' '),
    }))
    .toSorted((a, b) => a.number - b.number || a.part - b.part || a.member - b.member)
}

/** Reads all pages from a number on. */
const readAll = async ({ app }: Server, limit: number, after = 0) => {
  const events: FeedEvent[] = []
  const pages: number[] = []
  for (let position = after; ; ) {
    const head = await app.chat.cursors.head()
    const page = await readFeed(app.chat, { after: position, limit, head })
    if (page.events.length === 0) return { events, pages, position: page.position, head: head.last }
    events.push(...page.events)
    pages.push(page.events.length)
    position = page.position
  }
}

const NAMES = ['ann', 'bob', 'cid', 'dot', 'eve', 'fay']

type Sent = { id: number; conversation_id: number }

/** @returns a function that does one random thing as one of the people. It may be refused. */
const createActor = (people: readonly Person[], seed: number) => {
  const random = seededRandom(seed)
  const pick = <T>(list: readonly T[], other: T): T => list[Math.floor(random() * list.length)] ?? other
  const messages: Sent[] = []
  const groups: number[] = []
  return async () => {
    const me = pick(people, people[0] as Person)
    const [name, other] = [pick(NAMES, ''), pick(NAMES, '')]
    const group = pick(groups, 1)
    const message = pick(messages, { id: 1, conversation_id: 1 })
    const send = async (body: object) => {
      const reply = await me.call<Sent>('POST', '/send', body)
      if (reply.status === 200) messages.push(reply.body)
    }
    const actions: (() => Promise<unknown>)[] = [
      () => send({ receiver_username: name, content: 'hello', client_id: `k${random()}` }),
      () => send({ conversation_id: group, content: 'to all', metadata: { a: 1 } }),
      () => me.call('PATCH', `/messages/${message.id}`, { content: `edited ${random()}` }),
      () => me.call('DELETE', `/messages/${message.id}`),
      () => me.call('PUT', `/conversations/${message.conversation_id}/receipt`, { read_up_to: message.id }),
      async () => void groups.push((await me.createGroup('a group', [name, other])).id),
      () => me.call('PATCH', `/groups/${group}`, { title: `renamed ${random()}` }),
      () => me.call('PUT', `/groups/${group}/members/${name}`),
      () => me.call('DELETE', `/groups/${group}/members/${name}`),
      () => me.call('PUT', `/blocks/${name}`),
      () => me.call('DELETE', `/blocks/${name}`),
    ]
    await pick(actions, async () => {})().catch(() => {})
  }
}

t.test('the feed has each number of each row once, in order, in pages of any size', async (t) => {
  const server = await startServer(t, ENV)
  const people: Person[] = []
  for (const name of NAMES) people.push(await server.login(name))
  const act = createActor(people, 4)
  for (let n = 0; n < 250; n += 1) await act()
  const [ann, bob, cid] = people as [Person, Person, Person]
  const note = await ann.send('ann', 'a note')
  await ann.call('PATCH', `/messages/${note.id}`, { content: 'an edited note' })
  // Numbers of changes that have no row: reports and changed profiles get them.
  const numbers: number[] = []
  for (let n = 0; n < 2; n += 1) {
    await bob.call('PUT', '/blocks/cid')
    await bob.call('DELETE', '/blocks/cid')
    numbers.push(await readHead(server.app.chat.reader))
  }
  const reported = await cid.send('cid', 'rude')
  await cid.call('DELETE', '/users/me')
  await receiptsPublished(server.app)
  await write(
    server.folder,
    `insert into reports values (${numbers[0]}, ${reported.id}, ${ann.id}, 'spam', null, 'rude', 0, 'open', null)`,
  )
  await write(server.folder, `update users set changed = ${numbers[1]} where id = ${bob.id}`)

  const expected = await expectedOf(server)
  const keys = expected.map(({ key }) => key)
  const types = new Set(keys.map((key) => key.split(' ')[0]))
  t.strictSame([...types].sort(), Object.keys(feedEvents).sort(), 'the rows have every type of event')
  const sizeOf = Map.groupBy(expected, ({ number }) => number)
  const largest = Math.max(...[...sizeOf.values()].map(({ length }) => length))
  for (const limit of [1, 5, 128, 1000]) {
    const { events, pages, position, head } = await readAll(server, limit)
    t.strictSame(events.map(keyOf), keys, `in pages of ${limit}`)
    t.ok(Math.max(...pages) <= Math.max(limit, largest), 'no page is longer than its limit or one change')
    t.equal(position, head)
  }

  t.test('resuming from the cursor of any event loses none', async (t) => {
    const { events } = await readAll(server, 1000)
    for (const [index, { cursor }] of events.entries()) {
      const number = Number(cursor.split('.')[1])
      const resumed = expected.filter((event) => event.number > number).map(({ key }) => key)
      const later = keys.slice(index + 1)
      if (resumed.slice(resumed.length - later.length).join() !== later.join())
        t.strictSame(resumed, later, `after ${keys[index]}`)
    }
    t.equal(events.at(-1)?.cursor, server.app.chat.cursors.format(expected.at(-1)?.number as number))
  })
})

t.test('events show the rows as they are now', async (t) => {
  const server = await startServer(t, ENV)
  const [ann, bob] = [await server.login('ann'), await server.login('bob')]
  const one = await ann.send('bob', 'one', { client_id: 'k1', metadata: { a: 1 } })
  const two = await ann.send('ann', 'two')
  const group = await ann.createGroup('first', ['bob'])
  const three = await bob.send(group.id, 'three')
  await ann.call('PATCH', `/messages/${two.id}`, { content: 'edited' })
  await ann.call('DELETE', `/messages/${one.id}`)
  await ann.call('PATCH', `/groups/${group.id}`, { title: 'second' })
  await bob.call('PUT', `/conversations/${group.id}/receipt`, { read_up_to: three.id })
  await bob.call('DELETE', `/groups/${group.id}/members/bob`)
  await write(
    server.folder,
    `update conversations set key = 'order/1', metadata = '{"a":1}' where id = ${group.id}`,
  )
  await write(
    server.folder,
    `insert into reports values (1, ${three.id}, ${ann.id}, 'spam', 'twice', 'three', 1000, 'resolved', 'done')`,
  )
  const { events } = await readAll(server, 1000)
  const state = {
    id: group.id,
    kind: 'group',
    title: 'second',
    member_count: 1,
    key: 'order/1',
    metadata: { a: 1 },
  }
  const deleted = { id: one.id, content: '', client_id: 'k1', receiver: 'bob', deleted_at: String }
  const edited = { id: two.id, content: 'edited', receiver: 'ann', edited_at: String }
  t.match(
    events.map(({ cursor: _, ...event }) => event),
    [
      { type: 'user.created', user: { id: ann.id, username: 'ann' } },
      {
        type: 'report.created',
        report: {
          id: 1,
          message_id: three.id,
          reporter: 'ann',
          reason: 'spam',
          comment: 'twice',
          content: 'three',
          created_at: '1970-01-01T00:00:01.000Z',
          conversation_id: group.id,
          sender: 'bob',
          status: 'resolved',
          note: 'done',
        },
      },
      { type: 'user.created', user: { id: bob.id, username: 'bob' } },
      {
        type: 'conversation.created',
        conversation: {
          id: one.conversation_id,
          kind: 'direct',
          usernames: ['ann', 'bob'],
          member_count: 2,
        },
      },
      { type: 'member.joined', conversation_id: one.conversation_id, username: 'ann', role: 'member' },
      { type: 'member.joined', conversation_id: one.conversation_id, username: 'bob', role: 'member' },
      { type: 'message.created', message: deleted },
      { type: 'conversation.created', conversation: { usernames: ['ann'], member_count: 1 } },
      { type: 'member.joined', conversation_id: two.conversation_id, username: 'ann' },
      { type: 'message.created', message: edited },
      { type: 'conversation.created', conversation: state },
      { type: 'member.joined', conversation_id: group.id, username: 'ann', role: 'owner' },
      { type: 'member.joined', conversation_id: group.id, username: 'bob', role: 'member' },
      { type: 'message.created', message: { content: 'three', sender: 'bob', receiver: undefined } },
      { type: 'message.updated', message: edited },
      { type: 'message.deleted', message: deleted },
      { type: 'receipt.updated', conversation_id: group.id, username: 'bob', read_up_to: three.id },
      { type: 'conversation.updated', conversation: state },
      { type: 'member.left', conversation_id: group.id, username: 'bob', role: 'member' },
    ],
  )
})

t.test('pages that are read while others write have each new row once', async (t) => {
  const server = await startServer(t, ENV)
  const people: Person[] = []
  for (const name of NAMES) people.push(await server.login(name))
  const act = createActor(people, 11)
  let isWriting = true
  const writing = (async () => {
    for (let n = 0; n < 40; n += 1) {
      await Promise.all(people.map(act))
    }
    isWriting = false
  })()
  const events: FeedEvent[] = []
  let position = 0
  for (let isLast = false; !isLast; ) {
    isLast = !isWriting
    const read = await readAll(server, 3, position)
    events.push(...read.events)
    position = read.position
    await new Promise(setImmediate)
  }
  await writing
  const seen = events.map(keyOf)
  const created = (keys: string[]) => keys.filter((key) => /\.created /.test(key))
  const keys = (await expectedOf(server)).map(({ key }) => key)
  t.strictSame(created(seen), created(keys), 'each creation once, in order')
  // An event that came before the row changed again comes once more, later. The last ones have the order of the rows.
  const last = [...new Set(seen.toReversed())].toReversed()
  const isIn = new Set(keys)
  t.strictSame(
    [...new Set(last.filter((key) => isIn.has(key)))],
    [...new Set(keys.toReversed())].toReversed(),
    'the newest events are those of the rows',
  )
})

t.test('a row that changes between two reads of a page comes under its new number', async (t) => {
  const server = await startServer(t, ENV)
  const ann = await server.login('ann')
  const { id } = await ann.send('ann', 'one')
  const commit = await committerOf(t, server)
  const { reader } = server.app.chat
  let isFirst = true
  const end = wrapReads(reader, (read) => ({
    ...read,
    async all(query, args) {
      if ((query as unknown) === feed.newMessages && isFirst) {
        isFirst = false
        await commit(1, [
          (writer) => writer.append('edit', { user_id: ann.id, message_id: id, content: 'two' }),
        ])
      }
      return read.all(query, args)
    },
  }))
  const first = await readAll(server, 1000)
  end()
  await ann.send('ann', 'a note')
  const second = await readAll(server, 1000, first.position)
  const messages = [...first.events, ...second.events].filter((event) => 'message' in event)
  t.match(messages, [
    { type: 'message.created', message: { id, content: 'one' } },
    { type: 'message.updated', message: { id, content: 'two' } },
    { type: 'message.created', message: { content: 'a note' } },
  ])
})

t.test('a page is bounded in bytes, and by its limit except for one change', async (t) => {
  const server = await startServer(t, { ...ENV, MAX_MESSAGE_LENGTH: '65536' })
  const ann = await server.login('ann')
  const others = Array.from({ length: 9 }, (_, n) => `user${n}`)
  for (const name of others) await server.login(name)
  const start = await readHead(server.app.chat.reader)
  await ann.createGroup('large', others)
  await ann.createGroup('small', [])
  const head = await server.app.chat.cursors.head()
  const pageOf = (limit: number, after = start, to = head) =>
    readFeed(server.app.chat, { after, limit, head: to })
  t.match(await pageOf(3), { events: { length: 11 }, position: start + 1 }, 'a change is not split')
  t.match(await pageOf(12), { events: { length: 11 }, position: start + 1 }, 'the next change does not fit')
  t.match(await pageOf(13), { events: { length: 13 }, position: head.last })
  for (let n = 0; n < 20; n += 1) await ann.send('ann', '€'.repeat(65_536 / 2))
  const end = await server.app.chat.cursors.head()
  const page = await pageOf(1000, head.last, end)
  const bytes = Buffer.byteLength(JSON.stringify(page.events))
  t.ok(bytes < MiB + 2000 && bytes > MiB - 100_000, `${bytes} bytes`)
  const all = await readAll(server, 1000, head.last)
  t.equal(all.events.filter(({ type }) => type === 'message.created').length, 20)
  await ann.send('ann', '\u0001'.repeat(65_536))
  await ann.send('ann', '\u0001'.repeat(65_536))
  const last = await readAll(server, 1000, end.last)
  t.strictSame(last.pages, [2])
})

t.test('reads of users do not wait for the reads of many calls for events', async (t) => {
  const server = await startServer(t, ENV)
  const ann = await server.login('ann')
  await ann.send('ann', 'a note')
  const { chat } = server.app
  const gate = createGate()
  let begun = 0
  const end = wrapReads(chat.reader, (read) => ({
    ...read,
    all(query, args) {
      if ((query as unknown) !== feed.newMessages) return read.all(query, args)
      begun += 1
      return gate.hold(read.all(query, args))
    },
  }))
  const head = await chat.cursors.head()
  const pages = Array.from({ length: 20 }, () => readFeed(chat, { after: 0, limit: 1000, head }))
  await gate.reached
  t.match(await ann.call('GET', '/history/ann'), { status: 200, body: [{ content: 'a note' }] })
  t.ok(begun <= 2, `${begun} reads of events have begun`)
  gate.release()
  const [first, ...others] = await Promise.all(pages)
  end()
  for (const page of others) t.strictSame(page, first)
})

t.test('a reply has at most 1 MiB, its cursors included', async (t) => {
  const server = await startServer(t, { ...ENV, MAX_MESSAGE_LENGTH: '65536' })
  const ann = await server.login('ann')
  // Ids of two digits, so that the events differ in length by their content only.
  for (let n = 0; n < 10; n += 1) await ann.send('ann', 'a note')
  const { last } = await server.app.chat.cursors.head()
  for (let n = 0; n < 15; n += 1) await ann.send('ann', 'x'.repeat(65_536))
  const { events } = await readAll(server, 1000, last)
  const bytes = Buffer.byteLength(JSON.stringify(events))
  const withoutContent = Buffer.byteLength(JSON.stringify(events.at(-1))) - 65_536
  // With a comma and this message, the list of events has 1 MiB less a few bytes.
  await ann.send('ann', 'x'.repeat(MiB - bytes - withoutContent - 32))
  const { call } = await createApp(server)
  const { body } = await call<FeedPage>('GET', `/events?cursor=${server.app.chat.cursors.format(last)}`)
  t.equal(body.events.length, 15)
  t.equal(body.more, true)
  t.ok(Buffer.byteLength(JSON.stringify(body)) <= MiB)
})
