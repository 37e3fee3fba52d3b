import t, { type Test } from 'tap'
import type { EventsQuery, FeedPage } from '../../schemas/feed.ts'
import { readHead } from '../../src/chat/cursors.ts'
import { getEvents } from '../../src/chat/event-feed.ts'
import type { Waiter } from '../../src/chat/waiter.ts'
import { type Server, startServer, temporaryFolder } from '../support/server.ts'
import { loseNextBatch, withNotice } from '../support/stream.ts'
import { onPostgres } from '../support/test-database.ts'

/** Calls for events. `isWaiting` resolves when the call begins to wait. */
const poll = ({ app }: Server, query: Partial<EventsQuery>) => {
  const { promise, resolve } = Promise.withResolvers<Waiter>()
  const page: Promise<FeedPage> = getEvents(app.chat, { limit: 100, wait: 30, ...query }, () => {
    const waiter = app.chat.feedWaits.add()
    return withNotice(waiter, () => resolve(waiter))
  })
  return { page, isWaiting: promise }
}

const headOf = async ({ app }: Server) => app.chat.cursors.format(await readHead(app.chat.reader))

/** Starts one server, or on PostgreSQL two nodes of one database: one reads, the other writes. */
const startTwo = async (t: Test) => {
  const folder = await temporaryFolder(t)
  const reading = await startServer(t, {}, folder)
  return { reading, writing: onPostgres ? await startServer(t, {}, folder) : reading }
}

t.test('a call for events waits for the next change, whichever server makes it', async (t) => {
  const { reading, writing } = await startTwo(t)
  const [ann, bob] = [await writing.login('ann'), await writing.login('bob')]
  const cursor = await headOf(reading)

  t.test('a call without a cursor returns the newest cursor at once', async (t) => {
    const { page } = poll(reading, {})
    t.strictSame(await page, { events: [], cursor, more: false })
  })

  t.test('the cursor 0 is the beginning', async (t) => {
    const { page } = poll(reading, { cursor: '0', limit: 1 })
    t.match(await page, { events: [{ type: 'user.created', user: ann.session.user }], more: true })
  })

  t.test('a cursor that the database does not know is refused with the newest one', async (t) => {
    for (const unknown of ['', '00', 'x', 'other.1', `${cursor}0`]) {
      await t.rejects(poll(reading, { cursor: unknown }).page, {
        code: 'CURSOR_UNKNOWN',
        extra: { cursor },
      })
    }
  })

  t.test('a waiting call ends with the event of a change', async (t) => {
    const { page, isWaiting } = poll(reading, { cursor })
    await isWaiting
    await ann.send('ann', 'there')
    t.match(await page, { events: [{ type: 'conversation.created' }], more: Boolean })
  })

  t.test('a change without an event does not end a waiting call', async (t) => {
    const start = await headOf(reading)
    const { page, isWaiting } = poll(reading, { cursor: start })
    await isWaiting
    await ann.call('PUT', '/blocks/bob')
    await ann.call('DELETE', '/blocks/bob')
    const { id } = await bob.send('bob', 'a note')
    let next = await page
    const events = [...next.events]
    while (next.more) {
      next = await poll(reading, { cursor: next.cursor }).page
      events.push(...next.events)
    }
    t.match(events.at(-1), { type: 'message.created', message: { id } })
  })

  t.test('a waiting call ends without events at its timeout', async (t) => {
    const start = await headOf(reading)
    const { page, isWaiting } = poll(reading, { cursor: start, wait: 1 })
    await isWaiting
    await ann.call('PUT', '/blocks/bob')
    const { events, cursor: end, more } = await page
    t.strictSame([events, more], [[], false])
    t.not(end, start, 'the cursor is past the change without an event')
  })

  t.test('the batch after a lost one wakes a waiting call', async (t) => {
    const { page, isWaiting } = poll(reading, { cursor: await headOf(reading) })
    await isWaiting
    loseNextBatch(reading)
    const { id } = await ann.send('ann', 'lost')
    await ann.send('ann', 'later')
    t.match(await page, { events: [{ message: { id } }] })
  })
})

t.test('a call ends when its client disconnects, and when the server stops', async (t) => {
  const server = await startServer(t)
  const cursor = await headOf(server)
  const one = poll(server, { cursor })
  const two = poll(server, { cursor })
  const waiter = await one.isWaiting
  await two.isWaiting
  waiter.end()
  t.match(await one.page, { events: [], cursor })
  const closed = server.app.close()
  t.match(await two.page, { events: [], cursor })
  await closed
})

t.test('at most 32 calls wait', async (t) => {
  const server = await startServer(t)
  const ann = await server.login('ann')
  const cursor = await headOf(server)
  const calls = Array.from({ length: 32 }, () => poll(server, { cursor }))
  await Promise.all(calls.map(({ isWaiting }) => isWaiting))
  await t.rejects(poll(server, { cursor }).page, { code: 'RATE_LIMITED', retryAfter: 5 })
  await ann.send('ann', 'there')
  for (const { page } of calls) t.match(await page, { events: [{}, {}] })
  await poll(server, { cursor }).page
})
