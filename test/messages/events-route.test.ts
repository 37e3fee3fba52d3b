import t from 'tap'
import type { FeedPage } from '../../schemas/feed.ts'
import { operator } from '../support/operator.ts'
import { dial, rawRequest } from '../support/raw.ts'
import { createApp } from '../support/server-key.ts'
import { startServer } from '../support/server.ts'
import { nextEventsWait } from '../support/stream.ts'

t.test('GET /events returns the changes of everybody to the app, and to nobody else', async (t) => {
  const server = await startServer(t)
  const backend = await createApp(server)
  const alice = await server.login('alice')
  const { id } = await alice.send('alice', 'a note', { client_id: 'k' })
  const { status, body } = await backend.call<FeedPage>('GET', '/events?cursor=0')
  t.equal(status, 200)
  t.strictSame(
    body.events.map(({ type }) => type),
    ['user.created', 'conversation.created', 'member.joined', 'message.created'],
  )
  t.match(body.events.at(-1), { cursor: body.cursor, message: { id, client_id: 'k' } })
  t.match(await backend.call('GET', '/events'), { body: { events: [], cursor: body.cursor, more: false } })
  t.match(await backend.call('GET', '/events?cursor=0&limit=1'), { body: { events: [{}], more: true } })
  t.match(await backend.call('GET', '/events?cursor=x'), {
    status: 410,
    body: { code: 'CURSOR_UNKNOWN', cursor: body.cursor },
  })
  t.match(await backend.call('GET', '/events?limit=1001'), { status: 400 })
  t.match(await server.call('GET', '/events?cursor=0'), { status: 401, body: { code: 'UNAUTHORIZED' } })
  t.match(await alice.call('GET', '/events?cursor=0'), { status: 403, body: { code: 'FORBIDDEN' } })
  const onBehalf = await backend.call('GET', '/events?cursor=0', undefined, { 'on-behalf-of': 'alice' })
  t.match(onBehalf, { status: 403, body: { code: 'FORBIDDEN' } })
})

t.test('a waiting call ends with a change, with its key, and with its client', async (t) => {
  const server = await startServer(t)
  const backend = await createApp(server)
  const alice = await server.login('alice')
  const { body } = await backend.call<FeedPage>('GET', '/events')
  const path = `/events?wait=30&cursor=${body.cursor}`

  const first = nextEventsWait(server)
  const page = backend.call<FeedPage>('GET', path)
  await first
  await alice.createGroup('a group', [])
  t.match(await page, { status: 200, body: { events: [{ type: 'conversation.created' }, {}] } })

  const { cursor } = (await backend.call<FeedPage>('GET', '/events')).body
  const second = nextEventsWait(server)
  const connection = await dial(t, server.url)
  connection.write(rawRequest('GET', `/events?wait=30&cursor=${cursor}`, backend.key))
  await second
  connection.socket.destroy()

  const third = nextEventsWait(server)
  const ended = backend.call('GET', `/events?wait=30&cursor=${cursor}`)
  await third
  await operator(server.folder).admin(['key', 'revoke', 'app'])
  t.match(await ended, { status: 401, body: { code: 'UNAUTHORIZED' } })
})
