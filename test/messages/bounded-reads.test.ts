import t from 'tap'
import type { Conversation, ConversationList } from '../../schemas/conversation.ts'
import type { EventFrame } from '../../schemas/events.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import type { Message } from '../../schemas/message.ts'
import { createActivity } from '../../src/chat/activity.ts'
import { wrapReads } from '../support/reads.ts'
import { type Person, type Server, startServer } from '../support/server.ts'
import { headOf, nextWait } from '../support/stream.ts'

const MiB = 1024 * 1024

const listed = async (person: Person, query: string) =>
  (await person.call<ConversationList>('GET', `/conversations?${query}`)).body

/** All pages of the conversation list. */
const pagesOf = async (person: Person) => {
  const pages: Conversation[][] = []
  for (let query = 'limit=1000'; ; ) {
    const { conversations, before } = await listed(person, query)
    pages.push(conversations)
    if (before === undefined) return pages
    query = `limit=1000&before=${before}`
  }
}

/** All events after a cursor, read page by page. */
const streamOf = async (person: Person, cursor: string, limit = 1000) => {
  const events: EventFrame[] = []
  for (let at = cursor; ; ) {
    const { body } = await person.call<SyncPage>('GET', `/sync?limit=${limit}&cursor=${at}`)
    events.push(...body.events)
    if (!body.more) return events
    at = body.cursor
  }
}

/** Counts the reads of lists from the database. */
const countReads = ({ app }: Server) => {
  const counts = { reads: 0 }
  wrapReads(app.chat.reader, (read) => ({
    ...read,
    all(query, args) {
      counts.reads += 1
      return read.all(query, args)
    },
  }))
  return counts
}

t.test('a user in many conversations', async (t) => {
  const server = await startServer(t, { RATE_LIMIT_SEND: '0' })
  const { writer } = server.app.database
  const [ada, bob] = [await server.login('ada'), await server.login('bob')]
  const start = await headOf(ada)
  const made = await Promise.all(
    Array.from({ length: 300 }, (_, n) =>
      writer.append('createGroup', {
        user_id: bob.id,
        title: `group ${n}`,
        members: ['ada'],
      }),
    ),
  )
  const ids = made.map(({ id }) => id)
  const say = async (conversation_id: number, content: string) => {
    await writer.append('send', { sender_id: bob.id, conversation_id, content })
  }
  for (const id of ids.slice(0, 150)) await say(id, 'hello')
  const order = [...ids.slice(0, 150).toReversed(), ...ids.slice(150).toReversed()]

  t.test('receives the list in pages of at most a hundred, whatever the limit', async (t) => {
    const pages = await pagesOf(ada)
    t.strictSame(
      pages.map(({ length }) => length),
      [100, 100, 100],
    )
    t.strictSame(
      pages.flat().map(({ id }) => id),
      order,
    )
    t.match(pages[0]?.[0], { last_message: { content: 'hello' }, unread_count: 1 })
    t.equal((await listed(ada, 'limit=7')).conversations.length, 7)
  })

  t.test('receives the same event stream with and without the activity index', async (t) => {
    const { chat } = server.app
    const known = await streamOf(ada, start)
    t.equal(known.length, 450)
    for (const limit of [7, 100]) t.strictSame(await streamOf(ada, start, limit), known)
    Object.assign(chat, { activity: createActivity() })
    for (const limit of [7, 100, 1000]) t.strictSame(await streamOf(ada, start, limit), known)
  })

  t.test('pays no reads for conversations without changes', async (t) => {
    await say(ids[7] as number, 'a first one is known from now on')
    const cursor = await headOf(ada)
    await say(ids[7] as number, 'news')
    const counts = countReads(server)
    t.match(await streamOf(ada, cursor), [{ type: 'message', content: 'news' }])
    t.equal(counts.reads, 4, 'one read of the membership and three of the changes')
    counts.reads = 0
    const head = await headOf(ada)
    await bob.send('bob', 'none of hers')
    counts.reads = 0
    t.strictSame(await streamOf(ada, head), [])
    t.equal(counts.reads, 1, 'one read of the membership')
  })

  t.test('long polls at one cursor share a read, and 32 can wait', async (t) => {
    const cursor = await headOf(ada)
    const path = `/sync?wait=30&cursor=${cursor}`
    const waiting: Promise<{ body: SyncPage }>[] = []
    for (let n = 0; n < 32; n += 1) {
      const isWaiting = nextWait(server)
      waiting.push(ada.call<SyncPage>('GET', path))
      await isWaiting
    }
    t.match(await ada.call('GET', path), { status: 429, body: { code: 'RATE_LIMITED' } })
    const counts = countReads(server)
    await say(ids[7] as number, 'for all of them')
    for (const answer of waiting)
      t.match((await answer).body.events, [{ content: 'for all of them' }] as never)
    // A read takes four queries. A poll whose turn comes after the first read has ended shares a second one.
    t.ok(counts.reads <= 16, `${counts.reads} queries`)
    t.equal(server.app.chat.syncReads.size, 0, 'no shared read remains')
  })
})

t.test(
  'a page of conversations with long messages is cut by bytes, and the pages list each conversation once',
  async (t) => {
    const { app, login } = await startServer(t, { RATE_LIMIT_SEND: '0', MAX_MESSAGE_LENGTH: '65536' })
    const ada = await login('ada')
    const content = 'x'.repeat(65_536)
    for (let n = 0; n < 25; n += 1) {
      await login(`peer${n}`)
      await app.chat.writer.append('send', { sender_id: ada.id, receiver_username: `peer${n}`, content })
    }
    const pages = await pagesOf(ada)
    t.ok(pages.length > 1)
    for (const page of pages) t.ok(JSON.stringify(page).length < 1.1 * MiB, `${page.length} conversations`)
    t.strictSame(
      pages.flat().map(({ peer }) => peer),
      Array.from({ length: 25 }, (_, n) => `peer${24 - n}`),
    )
  },
)

t.test('a member of very many membership periods reads all their messages in both directions', async (t) => {
  const server = await startServer(t, { RATE_LIMIT_SEND: '0' })
  const { writer } = server.app.database
  const [ada, bob] = [await server.login('ada'), await server.login('bob')]
  const group = await bob.createGroup('g', [])
  const conversation_id = group.id
  const start = await headOf(ada)
  const seen: number[] = []
  const say = async () =>
    (await writer.append('send', { sender_id: bob.id, conversation_id, content: 'said' })).message.id
  const place = { user_id: bob.id, conversation_id, username: 'ada', max_members: 10, max_group: 32 }
  for (let n = 0; n < 600; n += 1) {
    const added = writer.append('addMember', place)
    if (n % 100 < 2) seen.push(await say())
    await added
    const removed = writer.append('removeMember', place)
    if (n % 50 === 0) await say()
    await removed
  }
  const path = `/conversations/${conversation_id}/messages`
  const page = async (query: string) =>
    (await ada.call<Message[]>('GET', `${path}?${query}`)).body.map(({ id }) => id)
  const expect = async (ids: number[]) => {
    t.strictSame(await page('limit=1000'), ids)
    t.strictSame(await page('limit=1000&after=0'), ids)
    t.strictSame(await page(`limit=3&after=${ids[1]}`), ids.slice(2, 5))
    t.strictSame(await page(`limit=3&before=${ids[4]}`), ids.slice(1, 4))
    const stream = await streamOf(ada, start)
    t.strictSame(
      stream.flatMap((event) => (event.type === 'message' ? [event.id] : [])),
      ids,
    )
  }
  await expect(seen)
  const shown = await listed(ada, '')
  t.match(shown.conversations, [{ id: conversation_id, last_message: { id: seen.at(-1) } }])
  t.match(await ada.conversation(conversation_id), { last_message: { id: seen.at(-1) } })

  for (const id of seen.slice(0, 4)) await bob.call('PATCH', `/messages/${id}`, { content: 'changed' })
  await expect(seen.slice(4))
  await bob.call('PATCH', `/messages/${seen.at(-1)}`, { content: 'changed' })
  t.match(await ada.conversation(conversation_id), { last_message: { id: seen.at(-2) } })
  t.strictSame(await page('limit=2'), seen.slice(-3, -1), 'hidden messages take no place on a page')
  t.strictSame(await page(`limit=2&after=${seen[2]}`), seen.slice(4, 6))
})

t.test('unread messages are counted among the newest 2,000 after the read mark', async (t) => {
  const { app, login } = await startServer(t, { RATE_LIMIT_SEND: '0' })
  const [ada, bob] = [await login('ada'), await login('bob')]
  const send = (sender: Person, receiver_username: string) =>
    app.chat.writer.append('send', { sender_id: sender.id, receiver_username, content: 'x' })
  const { message } = await send(bob, 'ada')
  await Promise.all(Array.from({ length: 1999 }, () => send(ada, 'bob')))
  t.match(await ada.conversation(message.conversation_id), { unread_count: 1 })
  await send(ada, 'bob')
  t.match(await ada.conversation(message.conversation_id), { unread_count: 0 })
})
