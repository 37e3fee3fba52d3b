import t from 'tap'
import { packIds, packPeriods } from '../../db/lists.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as list from '../../db/queries/conversation-list.ts'
import * as events from '../../db/queries/events.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import { periodsDown, periodsUp } from '../../db/queries/periods.ts'
import type { Query } from '../../db/query.ts'
import type { Conversation, ConversationList } from '../../schemas/conversation.ts'
import { type Person, startServer } from '../support/server.ts'
import { createPlanner } from '../support/plan.ts'
import { eventsAfter } from '../support/stream.ts'

t.test('conversations', async (t) => {
  const server = await startServer(t)
  const { writer } = server.app.database
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const list = async (person: Person, query = '') =>
    (await person.call<ConversationList>('GET', `/conversations${query}`)).body
  const read = (person: Person, id: number, read_up_to: number) =>
    person.call('PUT', `/conversations/${id}/receipt`, { read_up_to })

  t.test('are listed by newest message, and events complete the pages after the first', async (t) => {
    const ids: number[] = []
    for (const name of ['p1', 'p2', 'p3', 'p4']) {
      const peer = await server.login(name)
      ids.unshift((await peer.send('alice', `from ${name}`)).conversation_id)
    }
    const group = await alice.createGroup('silent', [])
    ids.unshift(group.id)
    const all = await list(alice)
    t.strictSame(
      all.conversations.map(({ id }) => id),
      ids,
      'a conversation without a message is listed by its creation',
    )
    t.notOk('before' in all)
    t.notOk('last_message' in (all.conversations[0] as Conversation))

    const first = await list(alice, '?limit=2')
    await bob.send('alice', 'meanwhile')
    const second = await list(alice, `?limit=2&before=${first.before}`)
    const third = await list(alice, `?limit=2&before=${second.before}`)
    t.strictSame(
      [first, second, third].flatMap((page) => page.conversations.map(({ id }) => id)),
      ids,
    )
    t.notOk('before' in third, 'the last page has no `before` link')
    t.match(await eventsAfter(alice, first.cursor), [
      { type: 'conversation', you: 'joined', peer: 'bob' },
      { type: 'message', content: 'meanwhile' },
    ])
    t.equal((await alice.call('GET', '/conversations/999999')).status, 404)
  })

  t.test('have a last message, an unread count from read marks, and the marks of both sides', async (t) => {
    const carol = await server.login('carol')
    const one = await carol.send('bob', 'one')
    const id = one.conversation_id
    const two = await carol.send('bob', 'two')
    const mine = await bob.send('carol', 'mine')
    t.match(await bob.conversation(id), {
      id,
      kind: 'direct',
      peer: 'carol',
      member_count: 2,
      last_message: { id: mine.id },
      unread_count: 2,
      read_up_to: 0,
      peer_read_up_to: 0,
    })
    t.notOk('role' in (await bob.conversation(id)))
    await carol.call('DELETE', `/messages/${two.id}`)
    t.match(await bob.conversation(id), { unread_count: 1 }, 'a deleted message is not unread')
    await read(bob, id, one.id)
    t.match(await bob.conversation(id), { unread_count: 0, read_up_to: one.id, delivered_up_to: one.id })
    t.match(await carol.conversation(id), { unread_count: 1, peer_read_up_to: one.id })
    await carol.call('DELETE', `/messages/${one.id}`)
    t.match(await bob.conversation(id), { unread_count: 0 }, 'the count never falls below zero')
    await carol.call('DELETE', `/messages/${mine.id}`)
    t.match(await carol.conversation(id), { unread_count: 1 }, 'a refused deletion keeps the count')
    await bob.call('DELETE', `/messages/${mine.id}`)
    t.match(await carol.conversation(id), { unread_count: 0, last_message: { content: '' } })
  })

  t.test('a conversation with oneself has no unread messages', async (t) => {
    const note = await alice.send('alice', 'a note')
    const shown = await alice.conversation(note.conversation_id)
    t.match(shown, { peer: 'alice', member_count: 1, unread_count: 0, last_message: { receiver: 'alice' } })
    t.notOk('peer_read_up_to' in shown)
  })

  t.test('unread counts stop at 1,000', async (t) => {
    const dora = await server.login('dora')
    const sends = Array.from({ length: 1002 }, (_, i) =>
      writer.append('send', { sender_id: bob.id, receiver_username: 'dora', content: `message ${i}` }),
    )
    const sent = await Promise.all(sends)
    const { conversation_id } = (sent[0] as (typeof sent)[0]).message
    t.match(await dora.conversation(conversation_id), { unread_count: 1000 })
    await read(dora, conversation_id, (sent[3] as (typeof sent)[0]).message.id)
    t.match(await dora.conversation(conversation_id), { unread_count: 998 })
  })
})

t.test('every read of a conversation uses an index range, however long the history', async (t) => {
  const one = { user_id: 1, conversation_id: 1 }
  const range = { conversation_id: 1, from: 1, to: 9, limit: 1 }
  const walk = { ...one, start: 1, limit: 1 }
  const periods = packPeriods([{ conversation_id: 1, from_number: 1, to_number: 9, until: 9 }])
  const window = { user_id: 1, periods, limit: 1, max_group: 32 }
  const place = { ...one, from_number: 0, limit: 1 }
  const shown = { user_id: 1, ids: packIds([1]), max_unread: 1, max_looked: 2 }
  const cases: [string, Query<never, unknown>, object, number][] = [
    ['the order of the list', list.newestByPeriod, place, 3],
    ['the list', list.conversationsByIds, shown, 5],
    ['peers', list.peersByIds, shown, 4],
    ['shared periods', members.sharedPeriodsAfter, { ...place, other_id: 2 }, 2],
    ['members', members.membersOf, one, 2],
    ['members without a block', members.unblockedMembers, one, 3],
    ['periods', members.latestPeriod, one, 1],
    ['the latest period', members.latestPeriodAtHead, one, 3],
    ['a conversation of the user', members.joinedConversationById, { user_id: 1, id: 1 }, 2],
    [
      'a conversation of the user by its pair',
      members.joinedConversationByPair,
      { user_id: 1, low_id: 1, high_id: 2 },
      2,
    ],
    ['older periods', periodsDown, walk, 3],
    ['newer periods', periodsUp, walk, 4],
    ['the newest message', messages.newestMessage, one, 1],
    ['older messages', messages.messagesDown, range, 1],
    ['newer messages', messages.messagesUp, range, 1],
    ['messages by id', messages.messagesByIds, shown, 1],
    ['periods', events.periodsOf, place, 3],
    ['periods of some conversations', events.periodsIn, { ...place, ids: packIds([1]) }, 3],
    ['missed messages', events.newMessages, window, 2],
    ['missed changes', events.changedMessages, window, 3],
    ['missed receipts', events.receipts, window, 3],
    ['blocks', blocks.blocksBy, { blocker_id: 1, created_at: 1, blocked_id: 1, limit: 1 }, 2],
  ]
  const planOf = await createPlanner(t)
  for (const [name, query, args, searches] of cases) {
    const plan = planOf(query, args as never)
    const scans = plan.filter(
      (line) =>
        line.startsWith('SCAN') && !/SCAN (mine|found|looked|unread|json_each|listed|\(sub)/.test(line),
    )
    t.strictSame(scans, [], `${name}: no table scan`)
    const found = plan.filter((line) => /^SEARCH .*(INDEX|PRIMARY KEY)/.test(line))
    t.ok(found.length >= searches, `${name}: ${found.join('; ')}`)
  }
  for (const [name, query, args] of cases) {
    // Queries that sort return few rows, bounded by their `limit`.
    const isSorted = /missed|older periods/.test(name)
    if (!isSorted)
      t.notMatch(planOf(query, args as never).join('; '), /TEMP B-TREE/, `${name}: rows come in index order`)
  }
  const missed = planOf(events.newMessages, window)
  t.ok(
    missed.some((line) =>
      /SEARCH m USING .*messages_history \(conversation_id=\? AND id>\? AND id<\?\)/.test(line),
    ),
    missed.join('; '),
  )
  const changed = planOf(events.changedMessages, window)
  t.ok(
    changed.some((line) =>
      /SEARCH messages USING INDEX messages_changed \(conversation_id=\? AND changed>\? AND changed<\?\)/.test(
        line,
      ),
    ),
    changed.join('; '),
  )
})

t.test('a conversation of other users cannot be read', async (t) => {
  const { login } = await startServer(t)
  const [alice, , eve] = [await login('alice'), await login('bob'), await login('eve')]
  const { conversation_id } = await alice.send('bob', 'between us')
  for (const path of ['', '/messages', '/members']) {
    for (const id of [conversation_id, conversation_id + 1000]) {
      const reply = await eve.call('GET', `/conversations/${id}${path}`)
      t.match(reply, { status: 404, body: { code: 'CONVERSATION_NOT_FOUND' } }, path)
    }
  }
})
