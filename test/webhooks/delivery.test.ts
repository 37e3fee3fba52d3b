import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { Webhook } from 'standardwebhooks'
import type { FeedPage } from '../../schemas/feed.ts'
import { freePort } from '../support/process.ts'
import {
  type Answer,
  createWebhookApp,
  RECEIVABLE,
  type Receiver,
  startReceiver,
} from '../support/receiver.ts'
import { startServer } from '../support/server.ts'

t.test('a webhook delivers every event of the feed once, in order, in signed batches', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  const { secret, cursor } = await app.put('all', { url: receiver.url, cursor: '0' })
  t.equal(cursor, '0')
  await server.login('bob')
  await Promise.all(Array.from({ length: 250 }, (_, n) => ann.send('bob', `message ${n}`)))
  const { cursor: end } = await app.untilState('all', ({ lag }) => lag === 0)
  const feed: FeedPage['events'] = []
  for (let from = '0'; ; ) {
    const { body } = await app.call<FeedPage>('GET', `/events?cursor=${from}`)
    feed.push(...body.events)
    from = body.cursor
    if (!body.more) break
  }
  t.strictSame(receiver.events(), feed)
  const verifier = new Webhook(secret as string)
  const follows = receiver.requests.map(
    ({ text, batch, headers }, index) =>
      isDeepStrictEqual(verifier.verify(text, headers as Record<string, string>), batch) &&
      batch.previous === (receiver.requests[index - 1]?.batch.cursor ?? '0') &&
      batch.events.length <= 100,
  )
  t.ok(follows.every(Boolean))
  t.equal(receiver.requests.at(-1)?.batch.cursor, end)
  t.match(await app.state('all'), { status: 'active', lag_seconds: 0, attempts: 0, delivered_at: String })
})

t.test('a batch is sent again, the same bytes under the same id, until it is answered by 2xx', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t, () => 500)
  const ann = await server.login('ann')
  await app.put('a', { url: receiver.url })
  const { id } = await ann.send('ann', 'first')
  const first = await receiver.untilRequests(1)
  t.match(await app.untilState('a', ({ attempts }) => attempts === 1), {
    status: 'failing',
    last_error: 'The receiver answered 500.',
    last_error_at: String,
    next_at: String,
    lag: 2,
  })
  await ann.call('PATCH', `/messages/${id}`, { content: 'edited' })
  receiver.setAnswer(() => 204)
  const second = await receiver.untilRequests(2)
  t.equal(second.id, first.id)
  t.equal(second.text, first.text)
  const { batch } = await receiver.untilRequests(3)
  t.match(batch, { previous: first.batch.cursor, events: [{ type: 'message.updated' }] })
  const state = await app.untilState('a', ({ lag }) => lag === 0)
  t.match(state, { status: 'active', attempts: 0 })
  t.notOk('last_error' in state || 'next_at' in state)
})

t.test('an answer 410 disables a webhook, and PUT enables it again', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t, () => 410)
  const ann = await server.login('ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  const { id } = await receiver.untilRequests(1)
  const state = await app.untilState('a', ({ status }) => status === 'disabled')
  t.match(state, { last_error: 'The receiver answered 410.' })
  t.notOk('next_at' in state)
  await ann.send('ann', 'second')
  receiver.setAnswer(() => 204)
  t.match(await app.put('a', { url: receiver.url, description: 'back' }), {
    status: /active|failing/,
    description: 'back',
  })
  t.equal((await receiver.untilRequests(2)).id, id)
  await app.untilState('a', ({ lag }) => lag === 0)
  t.strictSame(contents(receiver), ['first', 'second'])
})

t.test('a webhook continues after the cursor of an answer 409', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  const { batch: one } = await receiver.untilRequests(1)
  await app.untilState('a', ({ cursor }) => cursor === one.cursor)
  // Restored from a backup that is older than the first batch.
  receiver.setAnswer(({ batch }) => (batch.previous === one.cursor ? [409, { cursor: one.previous }] : 204))
  await ann.send('ann', 'second')
  const { batch: again } = await receiver.untilRequests(3)
  t.equal(again.previous, one.previous)
  t.match(again.events.slice(-2), [{ message: { content: 'first' } }, { message: { content: 'second' } }])
  await app.untilState('a', ({ lag }) => lag === 0)
})

const conflicts: [string, unknown, string][] = [
  [
    'of another database',
    { cursor: 'elsewhere.1' },
    'The receiver answered 409. This database does not know',
  ],
  [
    'that the batch has as previous',
    undefined,
    'The receiver answered 409 with the cursor that the batch has',
  ],
  ['that is no text', { cursor: 1 }, 'The receiver answered 409 without {"cursor": …}.'],
  ['that is missing', null, 'The receiver answered 409 without {"cursor": …}.'],
]
for (const [what, body, error] of conflicts) {
  t.test(`an answer 409 with a cursor ${what} is an error, and the batch is sent again`, async (t) => {
    const server = await startServer(t, RECEIVABLE)
    const app = await createWebhookApp(server)
    const receiver = await startReceiver(t, ({ batch }) => [
      409,
      body === undefined ? { cursor: batch.previous } : (body as object),
    ])
    const ann = await server.login('ann')
    await app.put('a', { url: receiver.url })
    await ann.send('ann', 'first')
    const { id } = await receiver.untilRequests(1)
    const { last_error } = await app.untilState('a', ({ attempts }) => attempts === 1)
    t.equal(last_error?.slice(0, error.length), error)
    receiver.setAnswer(() => 204)
    t.equal((await receiver.untilRequests(2)).id, id)
  })
}

t.test('a receiver that answers each batch by 409 is called with pauses, and can recover', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const ann = await server.login('ann')
  const cursors: string[] = []
  const receiver = await startReceiver(t, ({ batch }) => {
    cursors.push(batch.previous)
    return [409, { cursor: batch.previous === '0' ? cursors[0] : '0' }]
  })
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  await receiver.untilRequests(3)
  receiver.setAnswer(() => 204)
  await app.untilState('a', ({ lag }) => lag === 0)
})

t.test('a receiver that forgets each batch is called with pauses, and can recover', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t, ({ batch }) =>
    batch.previous === '0' ? 204 : [409, { cursor: '0' }],
  )
  const ann = await server.login('ann')
  await Promise.all(Array.from({ length: 250 }, (_, n) => ann.send('ann', `message ${n}`)))
  await app.put('a', { url: receiver.url, cursor: '0' })
  // Pauses double from the second 409 on. The one after the fourth has 4 s, in which the place is read and nothing is sent.
  await receiver.untilRequests(8)
  await app.untilState('a', ({ cursor }) => cursor === '0')
  t.equal(receiver.requests.length, 8)
  receiver.setAnswer(() => 204)
  await app.put('a', { url: receiver.url })
  await app.untilState('a', ({ lag }) => lag === 0)
  t.strictSame(new Set(contents(receiver)).size, 250)
})

t.test('a webhook with types gets those only, and advances without requests', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  await app.put('some', { url: receiver.url, types: ['message.deleted', 'user.created'] })
  await app.put('pushes', { url: receiver.url, types: ['unread.pending'] })
  await Promise.all(Array.from({ length: 1100 }, (_, n) => ann.send('ann', `message ${n}`)))
  const { cursor, lag } = await app.untilState('some', (state) => state.lag < 1000)
  t.ok(lag < 1000)
  t.strictSame(receiver.requests, [])
  await app.untilState('pushes', (state) => state.lag < 1000)
  await server.login('bob')
  const { batch } = await receiver.untilRequests(1)
  t.equal(batch.previous, cursor, 'the cursor that the receiver has, not the place that was read')
  t.match(batch.events, [{ type: 'user.created', user: { username: 'bob' } }])
  t.match(await app.state('pushes'), { push_after_seconds: 10, types: ['unread.pending'] })
})

t.test('a webhook delivers an event that follows 10,000 changes of other types', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  const { writer } = server.app.database
  const input = { sender_id: ann.id, receiver_username: 'ann', content: 'x' }
  for (let n = 0; n < 10; n += 1)
    await Promise.all(Array.from({ length: 1000 }, () => writer.append('send', input)))
  const { id } = await ann.send('ann', 'the last')
  await ann.call('DELETE', `/messages/${id}`)
  await app.put('a', { url: receiver.url, types: ['message.deleted'], cursor: '0' })
  const { batch } = await receiver.untilRequests(1)
  t.match(batch, { previous: '0', events: [{ type: 'message.deleted', message: { id } }] })
  await app.untilState('a', ({ lag }) => lag === 0)
})

t.test('a failing receiver of any kind holds up only itself', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const ann = await server.login('ann')
  const well = await startReceiver(t)
  const elsewhere = await startReceiver(t)
  const endless =
    (status: number): Answer =>
    async (_request, response) => {
      response.writeHead(status)
      while (!response.closed)
        if (!response.write('x'.repeat(10_000))) await once(response, 'drain').catch(() => {})
    }
  const answers: Record<string, Answer> = {
    hanging: () => {},
    redirecting: (_request, response) => void response.writeHead(307, { location: elsewhere.url }).end(),
    endless: endless(409),
    closing: (_request, response) => void response.destroy(),
    upgrading: (_request, response) =>
      void response.writeHead(101, { upgrade: 'websocket', connection: 'upgrade' }).end(),
    pouring: endless(200),
  }
  for (const [name, answer] of Object.entries(answers))
    await app.put(name, { url: (await startReceiver(t, answer)).url })
  await app.put('refusing', { url: `http://127.0.0.1:${await freePort()}/` })
  await app.put('well', { url: well.url })
  await ann.send('ann', 'first')
  await app.untilState('well', ({ lag }) => lag === 0)
  t.strictSame(contents(well), ['first'])
  const errors = {
    redirecting: 'The receiver answered 307. Redirects are not followed.',
    endless: 'The answer 409 has more than 65536 bytes.',
    closing: 'socket hang up',
    upgrading: 'The connection ended without an answer, or with a change of the protocol.',
    refusing: /ECONNREFUSED/,
  }
  for (const [name, last_error] of Object.entries(errors))
    t.match(await app.untilState(name, ({ attempts }) => attempts > 0), { last_error })
  t.strictSame(elsewhere.requests, [])
  // An answer 2xx counts, whatever follows.
  await app.untilState('pouring', ({ lag }) => lag === 0)
  t.match(await app.untilState('hanging', ({ attempts }) => attempts > 0), {
    last_error: 'The receiver did not answer within 10 seconds.',
  })
})

const contents = (receiver: Receiver) =>
  receiver
    .events()
    .flatMap((event) =>
      event.type === 'message.created' && 'message' in event ? [event.message.content] : [],
    )
