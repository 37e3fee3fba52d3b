import t, { type Test } from 'tap'
import type { Conversation, Member } from '../../schemas/conversation.ts'
import { startWithKey } from '../support/server-key.ts'
import type { Env, Person } from '../support/server.ts'
import { eventsAfter, headOf } from '../support/stream.ts'
import { digestOf } from '../support/test-database.ts'

const start = async (t: Test, env: Env = {}) => {
  const server = await startWithKey(t, env)
  return {
    ...server,
    /** @param owner the user on whose behalf the app makes the request */
    put: (key: string, body: object, owner?: string) =>
      server.asApp<Conversation>(
        'PUT',
        `/groups/by-key/${encodeURIComponent(key)}`,
        body,
        owner === undefined ? {} : { 'on-behalf-of': owner },
      ),
  }
}

const rolesIn = async (person: Person, id: number) =>
  (await person.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)).body.members.map(
    ({ username, role }) => `${username} ${role}`,
  )

const order = { title: 'Order 4711', members: ['alice', 'BOB', 'bob'], metadata: { order: 4711 } }

t.test('the app makes a group for a thing, and a repeated call returns it as it is', async (t) => {
  const { login, put, folder } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [socket, cursor] = [await alice.connect(), await headOf(bob)]
  const made = await put('order-4711', order)
  t.equal(made.status, 200)
  t.notOk(made.headers.has('idempotent-replayed'))
  const shown = {
    kind: 'group',
    title: 'Order 4711',
    key: 'order-4711',
    metadata: { order: 4711 },
    member_count: 2,
  }
  t.match(made.body, shown)
  t.notOk('role' in made.body)
  const { id } = made.body
  t.match(await alice.conversation(id), { ...shown, id, role: 'member' })
  t.match((await bob.conversations())[0], { ...shown, id, role: 'member' })
  const { id: _, ...frame } = { ...shown, id, conversation_id: id, you: 'joined' }
  t.match(await socket.wait('conversation'), frame)
  t.match(await eventsAfter(bob, cursor), [frame])
  t.strictSame(await rolesIn(alice, id), ['alice member', 'bob member'], 'it has no owner')

  const before = await digestOf(folder)
  for (const body of [
    order,
    { title: 'other', members: ['nobody'] },
    { title: 'x', members: [], metadata: {} },
  ]) {
    const again = await put('order-4711', body)
    t.strictSame([again.status, again.body], [200, made.body])
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  }
  t.equal(await digestOf(folder), before)
  t.not((await put('Order-4711', order)).body.id, id, 'keys are compared exactly')
})

t.test('repeated calls for a large group are no changes, so none is refused', async (t) => {
  const { asApp, put } = await start(t, { MAX_QUEUE: '100' })
  const members = Array.from({ length: 20 }, (_, n) => `user${n}`)
  for (const name of members) await asApp('PUT', `/users/${name}`, {})
  const { body } = await put('large', { title: 'large', members })
  const again = await Promise.all(Array.from({ length: 30 }, () => put('large', { title: 'large', members })))
  for (const reply of again) t.strictSame([reply.status, reply.body], [200, body])
})

t.test('simultaneous calls make one group', async (t) => {
  const { login, put, rows } = await start(t)
  await login('alice')
  const replies = await Promise.all(
    Array.from({ length: 8 }, () => put('one', { title: 'One', members: ['alice'] })),
  )
  t.equal(new Set(replies.map(({ body }) => body.id)).size, 1)
  t.equal(replies.filter(({ headers }) => !headers.has('idempotent-replayed')).length, 1)
  t.equal((await rows('select id from conversations')).length, 1)
})

t.test('on behalf of a user, the app makes a group that the user owns', async (t) => {
  const { login, put } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  await login('carol')
  const made = await put('k', { title: 'Mine', members: ['bob'] }, 'alice')
  t.match(made.body, { title: 'Mine', key: 'k', role: 'owner', member_count: 2 })
  t.strictSame(await rolesIn(bob, made.body.id), ['alice owner', 'bob member'])
  t.match((await put('k', { title: 'Mine', members: [] }, 'bob')).body, { id: made.body.id, role: 'member' })
  const others = (await put('k', { title: 'Mine', members: [] }, 'carol')).body
  t.match(others, { id: made.body.id, title: 'Mine', member_count: 2 })
  t.notOk('role' in others, 'the app sees the group, also on behalf of somebody who is not in it')
  t.match(await alice.call('PATCH', `/groups/${made.body.id}`, { title: 'Still mine' }), { status: 200 })
})

t.test('a key, its members and its metadata must be valid, and need a server key', async (t) => {
  const { login, put, folder, asApp, call } = await start(t, { MAX_GROUP_MEMBERS: '2' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  await login('carol')
  await bob.call('PUT', '/blocks/alice')
  const before = await digestOf(folder)
  const body = { title: 'x', members: ['bob'] }
  for (const key of ['x'.repeat(129), 'ä', 'a\nb', '\u007f']) {
    t.match(await put(key, body), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/key' }] },
    })
  }
  for (const [more, path] of [
    [{ metadata: { a: 'x'.repeat(1024) } }, '/metadata'],
    [{ metadata: null }, '/metadata'],
    [{ members: ['alice', 'bob', 'carol'] }, '/members'],
    [{ members: ['no body'] }, '/members/0'],
    [{ title: '' }, '/title'],
    [{ key: 'x' }, '/key'],
  ] as const)
    t.match(await put('k', { ...body, ...more }), { status: 400, body: { errors: [{ path }] } }, path)
  t.match(await put('k', { ...body, members: ['nobody'] }), { status: 404, body: { code: 'USER_NOT_FOUND' } })
  t.match(await put('k', body, 'alice'), { status: 403, body: { code: 'BLOCKED' } })
  t.match(await alice.call('PUT', '/groups/by-key/k', body), { status: 403, body: { code: 'FORBIDDEN' } })
  t.match(await call('PUT', '/groups/by-key/k', { body }), { status: 401 })
  t.match(await asApp('POST', '/groups', body), { status: 403, body: { code: 'FORBIDDEN' } })
  t.equal(await digestOf(folder), before)
  const longest = ` /?%~${'x'.repeat(123)}`
  t.match(await put(longest, { title: 'x', members: ['alice', 'bob'] }), {
    status: 200,
    body: { key: longest },
  })
  t.match(await put('empty', { title: 'x', members: [] }), { status: 200, body: { member_count: 0 } })
})

t.test('members see the metadata of a group and each change of it', async (t) => {
  const { asApp, login, folder } = await start(t)
  const [alice, bob, carol] = [await login('alice'), await login('bob'), await login('carol')]
  const create = (body: object, key: string) =>
    alice.call<Conversation>('POST', '/groups', body, { 'idempotency-key': key })
  const request = { title: 'g', members: ['bob'], metadata: { color: 'red' } }
  const { body: group } = await create(request, 'k')
  t.match(group, { metadata: { color: 'red' }, role: 'owner' })
  t.equal((await create(request, 'k')).body.id, group.id)
  t.match(await create({ ...request, metadata: { color: 'blue' } }, 'k'), {
    status: 422,
    body: { code: 'IDEMPOTENCY_KEY_REUSED' },
  })
  const [socket, cursor] = [await bob.connect(), await headOf(bob)]
  const path = `/groups/${group.id}`
  const blue = { title: 'g', metadata: { color: 'blue' } }
  t.match((await alice.call('PATCH', path, { metadata: blue.metadata })).body, blue)
  t.match(await socket.wait('conversation'), { ...blue, you: 'member' })
  t.match(await eventsAfter(bob, cursor), [blue])
  t.match((await asApp('PATCH', path, { title: 'h' })).body, { ...blue, title: 'h' })
  await alice.call('PUT', `${path}/members/carol`)
  t.match(await socket.wait('conversation', ({ member_count }) => member_count === 3), {
    metadata: blue.metadata,
  })
  t.match(await carol.conversation(group.id), { metadata: blue.metadata })

  const before = await digestOf(folder)
  await alice.call('PATCH', path, { metadata: blue.metadata })
  await alice.call('PATCH', path, { title: 'h', metadata: blue.metadata })
  t.match(await alice.call('PATCH', path, {}), { status: 400 })
  t.match(await alice.call('PATCH', path, { metadata: { a: 'x'.repeat(1024) } }), { status: 400 })
  t.match(await bob.call('PATCH', path, { metadata: {} }), { status: 403 })
  t.equal(await digestOf(folder), before)

  await alice.call('DELETE', `${path}/members/bob`)
  const left = await socket.wait('conversation', ({ you }) => you === 'left')
  t.notOk('metadata' in left || 'metadata' in (await bob.conversation(group.id)))
  t.strictSame((await eventsAfter(bob, cursor)).at(-1), left, 'a resume gives the same frame')
  t.notOk('metadata' in (await alice.call('PATCH', path, { metadata: null })).body)
  t.notOk('metadata' in (await carol.conversation(group.id)))
  t.notOk('metadata' in (await asApp('PATCH', path, { title: 'i' })).body)
})
