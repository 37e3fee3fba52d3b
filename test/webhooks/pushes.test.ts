import t from 'tap'
import type { UnreadPending } from '../../schemas/webhook.ts'
import { createWebhookApp, RECEIVABLE, type Receiver, startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'
import { write } from '../support/test-database.ts'

const PUSHES = { types: ['unread.pending'], push_after_seconds: 1 }

const pushesOf = (receiver: Receiver) => receiver.events() as UnreadPending[]

t.test('a message that no device has received is pushed once, until something is read', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const [ann, bob] = [await server.login('ann'), await server.login('bob')]
  await bob.call('PATCH', '/users/me', { display_name: 'Bob' })
  await ann.send('bob', 'from before the webhook')
  const { cursor } = await app.put('a', { url: receiver.url, ...PUSHES })
  await ann.send('bob', 'first')
  const second = await ann.send('bob', 'second')
  const { conversation_id } = second
  const { batch } = await receiver.untilRequests(1)
  t.match(batch, { previous: cursor, cursor })
  const [push] = pushesOf(receiver)
  t.match(push, {
    type: 'unread.pending',
    user: { id: bob.id, username: 'bob', profile: { display_name: 'Bob' } },
    conversation_id,
    newest: { sender: 'ann' },
  })
  t.equal(push?.newest_id, push?.newest.id)
  // Bob reads nothing: further messages are not pushed. Those of another conversation are.
  await ann.send('bob', 'third')
  const note = await server.login('cid').then((cid) => cid.send('bob', 'from cid'))
  await receiver.until(() => pushesOf(receiver).some(({ newest_id }) => newest_id === note.id))
  t.equal(pushesOf(receiver).filter((one) => one.conversation_id === conversation_id).length, 1)
  await bob.call('PUT', `/conversations/${conversation_id}/receipt`, { read_up_to: second.id })
  const fourth = await ann.send('bob', 'fourth')
  await receiver.until(() => pushesOf(receiver).some(({ newest_id }) => newest_id === fourth.id))
  t.match(pushesOf(receiver).at(-1), { unread_count: 2, newest: { content: 'fourth' } })
})

t.test('what was delivered, read, deleted, sent by the user or blocked is not pushed', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const [ann, bob] = [await server.login('ann'), await server.login('bob')]
  for (const name of ['cid', 'dot', 'eve', 'fay']) await server.login(name)
  await app.put('a', { url: receiver.url, types: ['unread.pending'], push_after_seconds: 2 })
  const delivered = await ann.send('bob', 'delivered')
  await bob.call('PUT', `/conversations/${delivered.conversation_id}/receipt`, {
    delivered_up_to: delivered.id,
  })
  const cid = await server.login('cid')
  const read = await ann.send('cid', 'read')
  await cid.call('PUT', `/conversations/${read.conversation_id}/receipt`, { read_up_to: read.id })
  const deleted = await ann.send('dot', 'deleted')
  await ann.call('DELETE', `/messages/${deleted.id}`)
  await ann.send('eve', 'blocked')
  await ann.call('PUT', '/blocks/eve')
  await ann.send('ann', 'to myself')
  const group = await ann.createGroup('a group', ['bob', 'cid'])
  const { id } = await ann.send(group.id, 'to the group')
  await receiver.until(() => pushesOf(receiver).length >= 2)
  t.strictSame(
    pushesOf(receiver).map(({ user, newest_id }) => [user.username, newest_id]),
    [
      ['bob', id],
      ['cid', id],
    ],
  )
})

t.test('nothing is pushed to a suspended user', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const [ann] = [await server.login('ann'), await server.login('bob'), await server.login('cid')]
  await app.put('a', { url: receiver.url, ...PUSHES })
  await app.call('PUT', '/users/bob/suspension', { reason: 'Insults' })
  await ann.send('bob', 'to the suspended')
  const { id } = await ann.send('cid', 'to another')
  await receiver.untilRequests(1)
  t.match(pushesOf(receiver), [{ user: { username: 'cid' }, newest_id: id }])
  t.equal(pushesOf(receiver).length, 1)
  await app.call('DELETE', '/users/bob/suspension')
  const { id: after } = await ann.send('bob', 'after the suspension')
  await receiver.untilRequests(2)
  t.match(pushesOf(receiver)[1], { user: { username: 'bob' }, newest_id: after, unread_count: 2 })
})

t.test('a webhook gets changes and pushes in one stream, also if many are pushed', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  const names = Array.from({ length: 40 }, (_, n) => `user${n}`)
  await Promise.all(names.map((name) => server.login(name)))
  const group = await ann.createGroup('a group', names)
  await app.put('a', { url: receiver.url, push_after_seconds: 1 })
  await ann.send(group.id, 'to all')
  const users = () =>
    receiver
      .events()
      .flatMap((event) => (event.type === 'unread.pending' && 'newest' in event ? [event.user.username] : []))
  await receiver.until(() => users().length >= names.length)
  t.strictSame(users().toSorted(), names.toSorted())
  let previous = receiver.requests[0]?.batch.previous
  for (const { batch } of receiver.requests) {
    t.equal(batch.previous, previous)
    const isPush = batch.events[0]?.type === 'unread.pending'
    t.equal(batch.cursor === batch.previous, isPush)
    previous = batch.cursor
  }
})

t.test('a batch of pushes has at most 1 MiB, also if JSON doubles the text of a message', async (t) => {
  const server = await startServer(t, { ...RECEIVABLE, MAX_MESSAGE_LENGTH: '65536' })
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  const names = Array.from({ length: 12 }, (_, n) => `user${n}`)
  for (const name of names) await server.login(name)
  const group = await ann.createGroup('a group', names)
  await app.put('a', { url: receiver.url, ...PUSHES })
  await ann.send(group.id, '"'.repeat(65_536))
  const users = () => pushesOf(receiver).map(({ user }) => user.username)
  await receiver.until(() => users().length >= names.length)
  t.strictSame(users().toSorted(), names.toSorted())
  for (const { text } of receiver.requests) t.ok(Buffer.byteLength(text) <= 1_048_576)
})

t.test('a message is pushed although many before it are not', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const [ann] = [await server.login('ann'), await server.login('bob')]
  await app.put('a', { url: receiver.url, push_after_seconds: 3600 })
  // Several reads consider them. Nobody but ann sees them.
  await Promise.all(Array.from({ length: 150 }, (_, n) => ann.send('ann', `note ${n}`)))
  const { id } = await ann.send('bob', 'to bob')
  await app.untilState('a', ({ lag }) => lag === 0)
  await write(server.folder, 'update messages set timestamp = timestamp - 7200000')
  await app.put('a', { url: receiver.url, push_after_seconds: 3600 })
  const pushes = () => pushesOf(receiver).filter(({ type }) => type === 'unread.pending')
  await receiver.until(() => pushes().length > 0)
  t.match(pushes(), [{ user: { username: 'bob' }, newest_id: id }])
})

t.test('a push in flight survives a restart and a move of the webhook', async (t) => {
  const first = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(first)
  const receiver = await startReceiver(t, () => 500)
  const [ann] = [await first.login('ann'), await first.login('bob')]
  const { cursor } = await app.put('a', { url: receiver.url, ...PUSHES })
  await ann.send('bob', 'first')
  const { id } = await receiver.untilRequests(1)
  await first.app.close()
  const server = await startServer(t, RECEIVABLE, first.folder)
  const again = await receiver.untilRequests(receiver.requests.length + 1)
  t.equal(again.id, id)
  receiver.setAnswer(({ batch }) => (batch.previous === '0' ? 204 : [409, { cursor: '0' }]))
  await receiver.until(() => receiver.requests.at(-1)?.batch.previous === '0')
  const moved = receiver.requests.at(-1)
  t.match(moved?.batch, {
    previous: '0',
    cursor: '0',
    events: [{ type: 'unread.pending', newest: { content: 'first' } }],
  })
  t.not(moved?.id, id)
  t.not(cursor, '0')
  await server.rows('select * from pushes').then((rows) => t.equal(rows.length, 1))
})
