import t from 'tap'
import type { Message } from '../../schemas/message.ts'
import { startServer } from '../support/server.ts'
import { counterOf, eventsAfter, headOf } from '../support/stream.ts'

t.test('edits and deletions', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const edit = (id: number, content: string) => alice.call<Message>('PATCH', `/messages/${id}`, { content })
  const remove = (id: number) => alice.call<Message>('DELETE', `/messages/${id}`)

  t.test('edits and deletions are visible live, after a resume, in history and in the list', async (t) => {
    const sent = await alice.send('bob', 'frist', { metadata: { a: 1 }, client_id: 'm1' })
    const cursor = await headOf(bob)
    const socket = await bob.connect()
    const edited = (await edit(sent.id, 'first')).body
    t.match(edited, { id: sent.id, content: 'first', metadata: { a: 1 }, client_id: 'm1' })
    t.ok(edited.edited_at && edited.timestamp === sent.timestamp)
    const { client_id: _, ...shown } = edited
    t.match(await socket.wait('message_updated'), { type: 'message_updated', ...shown })
    t.strictSame(await bob.history('alice'), [shown])
    t.strictSame((await bob.conversation(sent.conversation_id)).last_message, shown)
    t.match(await eventsAfter(bob, cursor), [{ type: 'message_updated', ...shown }])

    const deleted = (await remove(sent.id)).body
    t.match(deleted, { id: sent.id, content: '' })
    t.ok(deleted.deleted_at)
    t.notOk(deleted.metadata, 'the metadata is deleted too')
    t.match(await socket.wait('message_updated', ({ deleted_at }) => deleted_at !== undefined), {
      content: '',
    })
    t.match(await bob.history('alice'), [{ id: sent.id, content: '', deleted_at: deleted.deleted_at }])
    const events = await eventsAfter(bob, cursor)
    t.match(events, [{ type: 'message_updated', id: sent.id, content: '' }], 'the last state once')
    t.equal(events.length, 1)
  })

  t.test('a missed message is delivered in its current state, at its original position', async (t) => {
    const cursor = await headOf(bob)
    const one = await alice.send('bob', 'one')
    const two = await alice.send('bob', 'two')
    await edit(one.id, 'one, edited')
    t.match(await eventsAfter(bob, cursor), [
      { type: 'message', id: one.id, content: 'one, edited' },
      { type: 'message', id: two.id },
      { type: 'message_updated', id: one.id, content: 'one, edited' },
    ])
  })

  t.test('a repeated edit or deletion changes nothing', async (t) => {
    const { id } = await alice.send('bob', 'same')
    const before = await counterOf(alice)
    t.match(await edit(id, 'same'), { status: 200, body: { content: 'same' } })
    t.notOk('edited_at' in (await edit(id, 'same')).body)
    t.equal(await counterOf(alice), before)
    await remove(id)
    const after = await counterOf(alice)
    t.equal((await remove(id)).status, 200)
    t.equal(await counterOf(alice), after)
  })

  t.test('only the sender can edit or delete a message, and only while a member', async (t) => {
    const mine = await alice.send('bob', 'mine')
    const theirs = await bob.send('alice', 'theirs')
    const strangers = await bob.send('bob', 'a note')
    const before = await counterOf(alice)
    t.match(await edit(theirs.id, 'x'), { status: 403, body: { code: 'FORBIDDEN' } })
    t.match(await remove(theirs.id), { status: 403, body: { code: 'FORBIDDEN' } })
    t.match(await edit(strangers.id, 'x'), { status: 404, body: { code: 'MESSAGE_NOT_FOUND' } })
    t.match(await remove(999_999), { status: 404, body: { code: 'MESSAGE_NOT_FOUND' } })
    t.equal(await counterOf(alice), before)
    await remove(mine.id)
    t.match(await edit(mine.id, 'x'), { status: 409, body: { code: 'MESSAGE_DELETED' } })
  })

  t.test('a reply can name a message of the same conversation that the sender can see', async (t) => {
    const first = await alice.send('bob', 'question')
    const reply = await bob.send('alice', 'answer', { reply_to: first.id })
    t.equal(reply.reply_to, first.id)
    const note = await alice.send('alice', 'a note')
    for (const body of [
      { receiver_username: 'bob', content: 'x', reply_to: note.id },
      { receiver_username: 'bob', content: 'x', reply_to: 999_999 },
    ]) {
      t.match(await alice.call('POST', '/send', body), {
        status: 404,
        body: { code: 'MESSAGE_NOT_FOUND', errors: [{ path: '/reply_to' }] },
      })
    }
    await server.login('carol')
    const toNobodyYet = { receiver_username: 'carol', content: 'x', reply_to: first.id }
    t.match(await alice.call('POST', '/send', toNobodyYet), {
      status: 404,
      body: { code: 'MESSAGE_NOT_FOUND' },
    })
  })

  t.test('an edit is published only to members who may have seen the message', async (t) => {
    const carol = await server.login('carol')
    const group = await alice.createGroup('g', ['bob', 'carol'])
    const say = async (content: string) => (await alice.send(group.id, content)).id
    const early = await say('early')
    const path = `/groups/${group.id}/members`
    await alice.call('DELETE', `${path}/bob`)
    const between = await say('between')
    await alice.call('PUT', `${path}/bob`)
    const socket = await bob.connect()
    const other = await carol.connect()
    await edit(between, 'not for bob')
    await edit(early, 'for bob, who saw it in an earlier period')
    t.match(await socket.wait('message_updated'), { id: early })
    await other.wait('message_updated', ({ id }) => id === early)
    t.equal(other.frames.filter(({ type }) => type === 'message_updated').length, 2)
    await alice.call('DELETE', `${path}/carol`)
    t.match(await carol.call('DELETE', `/messages/${early}`), { status: 403, body: { code: 'FORBIDDEN' } })
    t.match(await carol.call<Message[]>('GET', `/conversations/${group.id}/messages`), {
      body: [{ content: 'for bob, who saw it in an earlier period' }, { content: 'not for bob' }],
    })
  })
})
