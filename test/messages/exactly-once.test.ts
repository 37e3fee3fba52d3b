import t from 'tap'
import type { Conversation } from '../../schemas/conversation.ts'
import type { SentMessage } from '../../schemas/message.ts'
import { type Person, startServer } from '../support/server.ts'
import { counterOf } from '../support/stream.ts'

const server = await startServer(t)
const { login, rows } = server
const bob = await login('bob')

const stored = async (client_id: string) =>
  (await rows(`select id from messages where client_id = '${client_id}'`)).length

t.test('a repeated send returns the original reply and stores no second message', async (t) => {
  const ann = await login('ann')
  const phone = await bob.connect()
  const body = { receiver_username: 'bob', content: 'once', client_id: 'k-ann', metadata: { a: [1, null] } }
  const first = await ann.call<SentMessage>('POST', '/send', body)
  t.match(first, { status: 200, body: { client_id: 'k-ann', metadata: { a: [1, null] } } })
  t.equal(first.headers.get('idempotent-replayed'), null)
  const again = await ann.call<SentMessage>('POST', '/send', body)
  t.strictSame(again.body, first.body)
  t.equal(again.headers.get('idempotent-replayed'), 'true')
  await phone.settle()
  const got = phone.frames.filter((frame) => frame.type === 'message')
  t.match(got, [{ content: 'once' }], 'the receiver has the message once')
  t.notOk('client_id' in (got[0] ?? {}), 'only the sender sees the key')
  t.match(await ann.history('bob'), [{ client_id: 'k-ann' }])
  t.notOk('client_id' in ((await bob.history('ann'))[0] ?? {}))
})

t.test('the Idempotency-Key header sets the key', async (t) => {
  const cat = await login('cat')
  const body = { receiver_username: 'bob', content: 'once' }
  const send = (more: object, key?: string) =>
    cat.call<SentMessage>(
      'POST',
      '/send',
      { ...body, ...more },
      key === undefined ? {} : { 'idempotency-key': key },
    )
  const first = await send({}, 'k-cat')
  t.equal(first.body.client_id, 'k-cat')
  for (const again of [
    await send({}, 'k-cat'),
    await send({ client_id: 'k-cat' }),
    await send({ client_id: 'k-cat' }, 'k-cat'),
  ]) {
    t.equal(again.body.id, first.body.id)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  }
  t.match(await send({ client_id: 'other' }, 'k-cat'), {
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: '/client_id' }] },
  })
  for (const key of ['', 'x'.repeat(65), 'k\u00fc']) {
    t.match(await send({}, key), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/headers/idempotency-key' }] },
    })
  }
  t.equal(await stored('other'), 0)
})

t.test('a key that was used for another request is refused with a reason', async (t) => {
  const [dan, eve] = [await login('dan'), await login('eve')]
  const socket = await dan.connect()
  const note = await dan.send('eve', 'before')
  const body = { receiver_username: 'eve', content: 'this', client_id: 'k-dan', reply_to: note.id }
  const first = (await dan.call<SentMessage>('POST', '/send', body)).body
  for (const change of [
    { content: 'that' },
    { receiver_username: 'bob', reply_to: undefined },
    { receiver_username: 'dan', reply_to: undefined },
    { receiver_username: 'nobody' },
    { reply_to: undefined },
    { reply_to: first.id },
    { receiver_username: undefined, conversation_id: 999_999 },
  ]) {
    const other = { ...body, ...change }
    const refusal = { code: 'IDEMPOTENCY_KEY_REUSED', status: 422, errors: [{ path: '/client_id' }] }
    t.match(await dan.call('POST', '/send', other), { status: 422, body: refusal })
    t.match(await socket.request(other), { type: 'error', retryable: false, problem: refusal })
  }
  t.equal(await stored('k-dan'), 1)
  const { receiver_username: _, ...rest } = body
  const byRoom = await dan.call<SentMessage>('POST', '/send', {
    ...rest,
    conversation_id: first.conversation_id,
  })
  t.equal(byRoom.body.id, first.id, 'a retry can name the same conversation in either way')
  t.not((await eve.send('dan', 'mine', { client_id: 'k-dan' })).id, first.id, 'keys belong to one sender')
})

t.test('fifty concurrent sends of one key over HTTP and sockets store one row', async (t) => {
  const fay = await login('fay')
  const sockets = await Promise.all(Array.from({ length: 5 }, () => fay.connect()))
  const watcher = await bob.connect()
  const body = { receiver_username: 'bob', content: 'me first', client_id: 'k-fay' }
  const answers = await Promise.all([
    ...Array.from({ length: 25 }, async () => {
      const { status, body: message } = await fay.call<SentMessage>('POST', '/send', body)
      return status === 200 ? message.id : status
    }),
    ...Array.from({ length: 25 }, async (_, n) => {
      const answer = await sockets[n % 5]?.request(body)
      return answer?.type === 'ack' ? answer.message?.id : answer
    }),
  ])
  t.equal(new Set(answers).size, 1)
  t.equal(await stored('k-fay'), 1)
  await watcher.settle()
  t.equal(
    watcher.frames.filter((frame) => frame.type === 'message' && frame.content === 'me first').length,
    1,
  )
  const acks = sockets.flatMap(({ frames }) => frames.filter((frame) => frame.type === 'ack'))
  t.ok(acks.filter(({ duplicate }) => !duplicate).length <= 1, 'at most one reply is no duplicate')
})

t.test('a duplicate is recognised after a restart', async (t) => {
  const first = await startServer(t)
  const gil = await first.login('gil')
  const sent = await gil.send('gil', 'note', { client_id: 'k-gil' })
  await first.app.close()
  const second = await startServer(t, {}, first.folder)
  const again = await (await second.login('gil')).call<SentMessage>('POST', '/send', {
    receiver_username: 'gil',
    content: 'note',
    client_id: 'k-gil',
  })
  t.strictSame(again.body, sent)
  t.equal(again.headers.get('idempotent-replayed'), 'true')
})

t.test('a duplicate is recognised before the block check and after an edit or deletion', async (t) => {
  const [hal, ida] = [await login('hal'), await login('ida')]
  const body = { receiver_username: 'ida', content: 'first words', client_id: 'k-hal' }
  const { body: sent } = await hal.call<SentMessage>('POST', '/send', body)
  await hal.call('PATCH', `/messages/${sent.id}`, { content: 'other words' })
  await ida.call('PUT', '/blocks/hal')
  const again = await hal.call<SentMessage>('POST', '/send', body)
  t.match(again, { status: 200, body: { id: sent.id, content: 'other words', edited_at: String } })
  const socket = await hal.connect()
  t.match(await socket.request(body), { type: 'ack', duplicate: true, message: { id: sent.id } })
  t.match(await hal.call('POST', '/send', { ...body, content: 'other words' }), { status: 422 })
  t.match(await hal.call('POST', '/send', { ...body, client_id: 'new' }), {
    status: 403,
    body: { code: 'BLOCKED' },
  })
})

t.test('a reused key is refused for a receiver without a conversation', async (t) => {
  const jan = await login('jan')
  await login('kim')
  await jan.send('bob', 'hello', { client_id: 'k-jan' })
  const reply = await jan.call('POST', '/send', {
    receiver_username: 'kim',
    content: 'hello',
    client_id: 'k-jan',
  })
  t.equal(reply.status, 422)
  t.strictSame(await jan.history('kim'), [], 'the refused send created no conversation')
})

const makeGroup = (person: Person, key: string, members: string[], title = 'a group') =>
  person.call<Conversation>('POST', '/groups', { title, members }, { 'idempotency-key': key })

t.test('a repeated group request returns the same group in its current state', async (t) => {
  const [lea, mia] = [await login('lea'), await login('mia')]
  const phone = await mia.connect()
  const first = await makeGroup(lea, 'k-group', ['mia', 'bob'])
  t.match(first, { status: 200, body: { title: 'a group', member_count: 3 } })
  t.equal(first.headers.get('idempotent-replayed'), null)
  const before = await counterOf(lea)
  for (const members of [
    ['mia', 'bob'],
    ['BOB', 'mia', 'lea', 'Mia'],
  ]) {
    const again = await makeGroup(lea, 'k-group', members)
    t.strictSame(again.body, first.body)
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  }
  t.equal(await counterOf(lea), before, 'a duplicate changes nothing')
  await phone.settle()
  t.equal(phone.frames.filter(({ type }) => type === 'conversation').length, 1)

  await mia.call('PUT', '/blocks/lea')
  await bob.call('DELETE', `/groups/${first.body.id}/members/bob`)
  await lea.call('PATCH', `/groups/${first.body.id}`, { title: 'renamed' })
  const changed = await makeGroup(lea, 'k-group', ['mia', 'bob'])
  t.match(changed, { status: 200, body: { id: first.body.id, title: 'renamed', member_count: 2 } })
  await lea.call('DELETE', `/groups/${first.body.id}/members/lea`)
  const left = await makeGroup(lea, 'k-group', ['mia', 'bob'])
  t.match(left, { status: 200, body: { id: first.body.id, title: 'renamed' } }, 'after the creator left')
  t.notOk('role' in left.body)
})

t.test('a group key used for another group is refused, and no group is created', async (t) => {
  const [nia, ole] = [await login('nia'), await login('ole')]
  const { body: group } = await makeGroup(nia, 'k-nia', ['ole'])
  const before = await counterOf(nia)
  for (const [members, title] of [
    [['ole'], 'another title'],
    [['ole', 'bob'], 'a group'],
    [[], 'a group'],
    [['nobody'], 'a group'],
  ] as const) {
    t.match(await makeGroup(nia, 'k-nia', [...members], title), {
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED', errors: [{ path: '/headers/idempotency-key' }] },
    })
  }
  for (const key of ['', 'x'.repeat(65), 'k\u00fc']) {
    t.match(await makeGroup(nia, key, []), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/headers/idempotency-key' }] },
    })
  }
  t.equal(await counterOf(nia), before)
  t.not((await makeGroup(ole, 'k-nia', ['nia'])).body.id, group.id, 'keys are separate for each creator')
  t.ok((await nia.send('ole', 'hello', { client_id: 'k-nia' })).id, 'message and group keys are separate')
})

t.test('a refused group leaves its key unused', async (t) => {
  const pia = await login('pia')
  t.match(await makeGroup(pia, 'k-pia', ['quin']), { status: 404, body: { code: 'USER_NOT_FOUND' } })
  await login('quin')
  t.match(await makeGroup(pia, 'k-pia', ['quin']), { status: 200, body: { member_count: 2 } })
})

t.test('thirty concurrent requests create one group, and its key still works after a restart', async (t) => {
  const first = await startServer(t)
  const [ria, sam] = [await first.login('ria'), await first.login('sam')]
  const replies = await Promise.all(Array.from({ length: 30 }, () => makeGroup(ria, 'k-ria', ['sam'])))
  const ids = new Set(replies.map(({ status, body }) => (status === 200 ? body.id : body)))
  t.equal(ids.size, 1)
  t.equal(replies.filter(({ headers }) => headers.get('idempotent-replayed') === null).length, 1)
  t.equal((await sam.conversations()).length, 1)
  t.equal((await ria.call('POST', '/groups', { title: 'a group', members: ['sam'] })).status, 200)
  t.equal((await sam.conversations()).length, 2, 'without a key each request creates a group')
  await first.app.close()
  const second = await startServer(t, {}, first.folder)
  const again = await makeGroup(await second.login('ria'), 'k-ria', ['sam'])
  t.strictSame([again.status, again.body.id], [200, [...ids][0]])
  t.equal(again.headers.get('idempotent-replayed'), 'true')
})
