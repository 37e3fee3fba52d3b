import t, { type Test } from 'tap'
import type { Conversation, ConversationList, Member } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import { type Person, startServer } from '../support/server.ts'
import { counterOf, eventsAfter, headOf } from '../support/stream.ts'

t.test('groups', async (t) => {
  const server = await startServer(t, { MAX_GROUP_MEMBERS: '3' })
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const carol = await server.login('carol')
  await server.login('dora')
  const make = (members: string[], title = 'a group') => alice.createGroup(title, members)
  const say = async (person: Person, conversation_id: number, content = 'hi') =>
    person.call<Message>('POST', '/send', { conversation_id, content })
  const membersOf = async (person: Person, id: number) =>
    (await person.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)).body.members
  const refused = async (
    t: Test,
    call: Promise<{ status: number; body: unknown }>,
    status: number,
    code: string,
  ) => {
    const reply = await call
    t.match(reply, { status, body: { code } }, code)
  }

  t.test('a new group is published to every member', async (t) => {
    const [socket, cursor] = [await bob.connect(), await headOf(bob)]
    const group = await alice.createGroup('friends', ['BOB', 'alice', 'bob'])
    t.match(group, { kind: 'group', title: 'friends', role: 'owner', member_count: 2, unread_count: 0 })
    t.notOk('peer' in group)
    const announced = {
      conversation_id: group.id,
      kind: 'group',
      title: 'friends',
      member_count: 2,
      you: 'joined',
    }
    t.match(await socket.wait('conversation'), announced)
    t.match(await eventsAfter(bob, cursor), [announced])
    t.match(await membersOf(bob, group.id), [
      { username: 'alice', role: 'owner' },
      { username: 'bob', role: 'member' },
    ])
    const sent = (await say(alice, group.id)).body
    t.notOk('receiver' in sent || 'receiver_id' in sent)
    t.match(await socket.wait('message'), { conversation_id: group.id, sender: 'alice' })
    t.match(await bob.conversation(group.id), { unread_count: 1, last_message: { id: sent.id } })
  })

  t.test('only the owner renames a group, adds members and removes members', async (t) => {
    const group = await make(['bob'])
    const path = `/groups/${group.id}`
    const socket = await bob.connect()
    const renamed = await alice.call<Conversation>('PATCH', path, { title: 'renamed' })
    t.match(renamed.body, { title: 'renamed', role: 'owner' })
    t.match(await socket.wait('conversation'), { title: 'renamed', you: 'member' })
    const before = await counterOf(alice)
    await alice.call('PATCH', path, { title: 'renamed' })
    t.match(await alice.call('PUT', `${path}/members/bob`), { status: 200 }, 'adding a member again succeeds')
    t.equal(await counterOf(alice), before, 'the repeated call changes nothing')

    await refused(t, bob.call('PATCH', path, { title: 'x' }), 403, 'FORBIDDEN')
    await refused(t, bob.call('PUT', `${path}/members/carol`), 403, 'FORBIDDEN')
    await refused(t, bob.call('DELETE', `${path}/members/alice`), 403, 'FORBIDDEN')
    await refused(t, carol.call('PATCH', path, { title: 'x' }), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, carol.call('DELETE', `${path}/members/carol`), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, say(carol, group.id), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, carol.call('GET', `/conversations/${group.id}/members`), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, carol.call('GET', `/conversations/${group.id}`), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, alice.call('DELETE', `${path}/members/carol`), 404, 'USER_NOT_FOUND')
    await refused(t, alice.call('DELETE', `${path}/members/nobody`), 404, 'USER_NOT_FOUND')
    await refused(t, alice.call('PUT', `${path}/members/nobody`), 404, 'USER_NOT_FOUND')
    await refused(t, alice.call('PUT', `${path}/members/no%20body`), 400, 'VALIDATION_FAILED')
    await refused(
      t,
      alice.call('POST', '/groups', { title: 'x', members: ['nobody'] }),
      404,
      'USER_NOT_FOUND',
    )
    await refused(
      t,
      alice.call('POST', '/groups', { title: 'x', members: ['a b'] }),
      400,
      'VALIDATION_FAILED',
    )
    t.equal(await counterOf(alice), before, 'a refused call changes nothing')

    const direct = await alice.send('bob', 'direct')
    const of = `/groups/${direct.conversation_id}`
    await refused(t, alice.call('PATCH', of, { title: 'x' }), 404, 'CONVERSATION_NOT_FOUND')
    await refused(t, alice.call('DELETE', `${of}/members/alice`), 404, 'CONVERSATION_NOT_FOUND')
  })

  t.test('a group is full at MAX_GROUP_MEMBERS', async (t) => {
    const members = ['bob', 'carol', 'dora']
    await refused(t, alice.call('POST', '/groups', { title: 'x', members }), 400, 'VALIDATION_FAILED')
    const group = await make(['bob', 'carol'])
    await refused(t, alice.call('PUT', `/groups/${group.id}/members/dora`), 409, 'GROUP_FULL')
  })

  t.test('a former member reads messages without later changes and receives nothing new', async (t) => {
    const start = await headOf(bob)
    const group = await make(['bob', 'carol'], 'before')
    const kept = (await say(alice, group.id, 'kept')).body
    const seen = (await say(alice, group.id, 'seen')).body
    await alice.call('PATCH', `/messages/${kept.id}`, { content: 'kept, edited in time' })
    const other = (await say(alice, group.id, 'also seen')).body
    const path = `/conversations/${group.id}/messages`
    const cursor = await headOf(bob)
    const socket = await bob.connect()
    t.equal((await bob.call('DELETE', `/groups/${group.id}/members/bob`)).status, 204)
    t.match(await socket.wait('conversation'), { you: 'left', title: 'before', member_count: 2 })
    await alice.call('PATCH', `/groups/${group.id}`, { title: 'after' })
    await alice.call('DELETE', `/groups/${group.id}/members/carol`)
    const unseen = (await say(alice, group.id, 'unseen')).body
    t.match(await bob.conversation(group.id), { unread_count: 3, last_message: { id: other.id } })
    await alice.call('PATCH', `/messages/${seen.id}`, { content: 'seen, edited' })
    await alice.call('DELETE', `/messages/${other.id}`)

    await refused(t, say(bob, group.id), 403, 'FORBIDDEN')
    await refused(t, bob.call('DELETE', `/groups/${group.id}/members/bob`), 403, 'FORBIDDEN')
    await refused(t, bob.call('DELETE', `/messages/${unseen.id}`), 404, 'MESSAGE_NOT_FOUND')
    const left = await bob.conversation(group.id)
    const last_message = { id: kept.id, content: 'kept, edited in time' }
    t.match(left, { title: 'before', member_count: 2, last_message, unread_count: 1 })
    t.notOk('role' in left)
    t.match(
      (await bob.call<ConversationList>('GET', '/conversations')).body.conversations.find(
        ({ id }) => id === group.id,
      ),
      { title: 'before', last_message, unread_count: 1 },
      'the group stays in the list',
    )
    t.strictSame(await membersOf(bob, group.id), [])
    for (const query of ['', '?limit=1', '?after=0', '?after=0&limit=1', `?before=${unseen.id}&limit=1`]) {
      const { body } = await bob.call<Message[]>('GET', path + query)
      t.match(body, [last_message], query)
      t.equal(body.length, 1, `${query}: later edits and deletions are hidden`)
    }
    await refused(t, bob.call('DELETE', `/messages/${seen.id}`), 404, 'MESSAGE_NOT_FOUND')
    t.match(await eventsAfter(bob, cursor), [{ type: 'conversation', you: 'left', title: 'before' }])
    await socket.settle()
    t.equal(socket.frames.filter((frame) => 'cursor' in frame).length, 2, 'hello and the departure')
    const missed = (await eventsAfter(bob, start)).flatMap((event) =>
      event.type === 'message' ? [event.content] : [],
    )
    t.strictSame(missed, ['kept, edited in time'], 'a resumed device does not read them either')

    await alice.call('PUT', `/groups/${group.id}/members/bob`)
    const { body: back } = await bob.call<Message[]>('GET', path)
    t.strictSame(
      back.map(({ content }) => content),
      ['kept, edited in time', 'seen, edited', ''],
      'a current member reads them',
    )
  })

  t.test('a member who joins again gets a separate membership period', async (t) => {
    const group = await make(['bob'])
    const path = `/groups/${group.id}/members/bob`
    const first = (await say(alice, group.id, 'first')).body
    await bob.call('PUT', `/conversations/${group.id}/receipt`, { read_up_to: first.id })
    const cursor = await headOf(bob)
    await alice.call('DELETE', path)
    const between = (await say(alice, group.id, 'between')).body
    await alice.call('PUT', path)
    const last = (await say(alice, group.id, 'last')).body
    const ids = async (query = '') =>
      (await bob.call<Message[]>('GET', `/conversations/${group.id}/messages${query}`)).body.map(
        ({ id }) => id,
      )
    t.strictSame(await ids(), [first.id, last.id])
    t.strictSame(await ids('?limit=1'), [last.id])
    t.strictSame(await ids(`?limit=1&before=${last.id}`), [first.id])
    t.strictSame(await ids(`?after=${first.id}`), [last.id])
    t.match(await bob.conversation(group.id), { role: 'member', unread_count: 1, read_up_to: first.id })
    await refused(
      t,
      bob.call('POST', '/send', { conversation_id: group.id, content: 'x', reply_to: between.id }),
      404,
      'MESSAGE_NOT_FOUND',
    )
    t.match(await eventsAfter(bob, cursor), [
      { type: 'conversation', you: 'left' },
      { type: 'conversation', you: 'joined', member_count: 2 },
      { type: 'message', id: last.id },
    ])
  })

  t.test('the oldest member becomes the owner when the owner leaves', async (t) => {
    const group = await make(['bob'])
    await alice.call('PUT', `/groups/${group.id}/members/carol`)
    await alice.call('DELETE', `/groups/${group.id}/members/alice`)
    t.match(await membersOf(carol, group.id), [
      { username: 'bob', role: 'owner' },
      { username: 'carol', role: 'member' },
    ])
    t.equal((await bob.call('PUT', `/groups/${group.id}/members/alice`)).status, 200)
    t.match(await alice.conversation(group.id), { role: 'member' })
    for (const person of [carol, alice, bob]) {
      await person.call('DELETE', `/groups/${group.id}/members/${person.username}`)
    }
    t.match(await bob.conversation(group.id), { member_count: 0 }, 'the last member can leave too')
  })

  t.test('membership is checked when a message commits', async (t) => {
    const group = await make(['bob'])
    const [socket, cursor] = [await bob.connect(), await headOf(bob)]
    // In order of arrival, whether they commit in one transaction or in several.
    const { writer } = server.app.database
    const send = (content: string) =>
      writer.append('send', { sender_id: alice.id, conversation_id: group.id, content })
    const place = { user_id: alice.id, conversation_id: group.id, username: 'bob' }
    await Promise.all([
      send('before'),
      writer.append('removeMember', { ...place, max_group: 32 }),
      send('while away'),
      writer.append('addMember', { ...place, max_members: 3 }),
      send('after'),
    ])
    await socket.wait('message', ({ content }) => content === 'after')
    const shown = [
      { type: 'message', content: 'before' },
      { type: 'conversation', you: 'left' },
      { type: 'conversation', you: 'joined' },
      { type: 'message', content: 'after' },
    ]
    t.match(socket.frames.slice(1), shown)
    t.equal(socket.frames.length, 5)
    const events = await eventsAfter(bob, cursor)
    t.match(events, shown)
    t.equal(events.length, 4)
  })
})

t.test('an error names the conversation only if the request named it', async (t) => {
  const { login } = await startServer(t)
  const [ann, ben] = [await login('ann'), await login('ben')]
  const group = await ann.createGroup('g', ['ben'])
  const sent = await ben.send(group.id, 'hello')
  await ben.call('DELETE', `/groups/${group.id}/members/ben`)
  const refused = { status: 403, body: { code: 'FORBIDDEN' } }
  for (const [method, path, body] of [
    ['PATCH', `/messages/${sent.id}`, { content: 'b' }],
    ['PATCH', `/groups/${group.id}`, { title: 'b' }],
    ['PUT', `/conversations/${group.id}/receipt`, { read_up_to: sent.id }],
  ] as const) {
    const reply = await ben.call(method, path, body)
    t.match(reply, refused, path)
    t.notOk('errors' in reply.body, path)
  }
  t.match(await ben.call('POST', '/send', { conversation_id: group.id, content: 'b' }), {
    ...refused,
    body: { errors: [{ path: '/conversation_id' }] },
  })
})

t.test('an invalid group is refused before anything is queued', async (t) => {
  const { app, login } = await startServer(t, { MAX_GROUP_MEMBERS: '3' })
  const ann = await login('ann')
  await login('ben')
  const { writer } = app.database
  const { append } = writer
  const queued: string[] = []
  writer.append = ((name: 'probe', ...rest: [never]) => {
    queued.push(name)
    return append(name, ...rest)
  }) as typeof append
  const make = (members: string[]) => ann.call('POST', '/groups', { title: 'g', members })
  t.match(await make(['ben', 'carol', 'dora']), {
    status: 400,
    body: {
      code: 'VALIDATION_FAILED',
      detail: 'A group has at most 3 members.',
      errors: [{ path: '/members' }],
    },
  })
  for (const name of ['\u0001'.repeat(168), '', 'a b', 'x'.repeat(65)]) {
    t.match(await make(['ben', name]), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/members/1' }] },
    })
  }
  t.strictSame(queued, [])
  t.match(await make(['ben', 'nobody']), { status: 404, body: { code: 'USER_NOT_FOUND' } })
  t.match(await make(['ben', 'BEN', 'Ben', 'ANN']), { status: 200, body: { member_count: 2 } })
  t.strictSame(queued, ['createGroup', 'createGroup'])
})

t.test('each change of a group is queued with the number of members that it touches', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob'), await login('carol'), await login('dora')]
  const { writer } = app.database
  const { append } = writer
  const weights: unknown[] = []
  writer.append = (name, input, options) => {
    weights.push([name, options?.weight])
    return append(name, input, options)
  }
  const { body: group } = await alice.call<Conversation>('POST', '/groups', {
    title: 'three',
    members: ['bob', 'BOB', 'alice', 'carol'],
  })
  const path = `/groups/${group.id}`
  await alice.call('PUT', `${path}/members/dora`)
  await alice.call('PATCH', path, { title: 'four' })
  await alice.call('DELETE', `${path}/members/dora`)
  await bob.call('DELETE', `${path}/members/bob`)
  t.strictSame(weights, [
    ['createGroup', 3],
    ['addMember', 3],
    ['changeGroup', 4],
    ['removeMember', 4],
    ['removeMember', 3],
  ])
})
