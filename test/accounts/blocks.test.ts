import t from 'tap'
import type { Block, BlockList, Member } from '../../schemas/conversation.ts'
import { type Person, startServer } from '../support/server.ts'
import { counterOf, eventsAfter, headOf } from '../support/stream.ts'

t.test('blocks', async (t) => {
  const server = await startServer(t)
  let pairs = 0
  /** Two users who have exchanged messages: `alice` is the blocker and `bob` is blocked. */
  const twoPeople = async () => {
    pairs += 1
    const alice = await server.login(`alice${pairs}`)
    const bob = await server.login(`bob${pairs}`)
    const sent = await alice.send(bob.username, 'hello')
    const reply = await bob.send(alice.username, 'hello too')
    const block = () => alice.call<Block>('PUT', `/blocks/${bob.username}`)
    const unblock = () => alice.call('DELETE', `/blocks/${bob.username}`)
    return { alice, bob, id: sent.conversation_id, sent, reply, block, unblock }
  }
  const mark = (person: Person, id: number, read_up_to: number) =>
    person.call('PUT', `/conversations/${id}/receipt`, { read_up_to })

  t.test('a block is created, listed and removed', async (t) => {
    const { alice, bob, block, unblock } = await twoPeople()
    const { body } = await block()
    t.match(body, { username: bob.username })
    t.strictSame((await block()).body, body, 'a second block request changes nothing')
    t.strictSame((await alice.call('GET', '/blocks')).body, { blocks: [body] })
    t.strictSame((await bob.call('GET', '/blocks')).body, { blocks: [] }, 'a block list is private')
    t.equal((await unblock()).status, 204)
    t.equal((await unblock()).status, 204)
    t.strictSame((await alice.call('GET', '/blocks')).body, { blocks: [] })
    t.equal((await alice.call('PUT', `/blocks/${alice.username}`)).status, 400, 'blocking oneself is invalid')
    t.equal((await alice.call('PUT', '/blocks/nobody')).status, 404)
    t.equal((await alice.call('DELETE', '/blocks/nobody')).status, 404)
    t.equal((await alice.call('DELETE', '/blocks/no%20body')).status, 400)
  })

  t.test('blocks are listed in pages, newest first', async (t) => {
    const gail = await server.login('gail')
    for (const name of ['h1', 'h2', 'h3', 'h4', 'h5']) {
      await server.login(name)
      await gail.call('PUT', `/blocks/${name}`)
    }
    const page = async (query: string) => (await gail.call<BlockList>('GET', `/blocks${query}`)).body
    const whole = await page('')
    t.strictSame(
      whole.blocks.map(({ username }) => username),
      ['h5', 'h4', 'h3', 'h2', 'h1'],
    )
    t.notOk('before' in whole, 'the only page has no `before` link')
    const first = await page('?limit=2')
    await gail.call('DELETE', `/blocks/${first.blocks[1]?.username}`)
    const second = await page(`?limit=2&before=${first.before}`)
    const third = await page(`?limit=2&before=${second.before}`)
    t.strictSame([...first.blocks, ...second.blocks, ...third.blocks], whole.blocks)
    t.notOk('before' in third, 'the last page has no `before` link')
    t.match(await gail.call('GET', '/blocks?before=x'), { status: 400, body: { code: 'VALIDATION_FAILED' } })
  })

  t.test('a block stops sends and edits of both users and allows deletions', async (t) => {
    const { alice, bob, id, sent, reply, block, unblock } = await twoPeople()
    await block()
    const before = await counterOf(alice)
    const sockets = new Map([
      [alice, await alice.connect()],
      [bob, await bob.connect()],
    ])
    for (const [person, peer, own] of [
      [alice, bob, sent],
      [bob, alice, reply],
    ] as const) {
      const socket = sockets.get(person)
      for (const [method, path, body, frame] of [
        ['POST', '/send', { receiver_username: peer.username, content: 'x' }, { type: 'send' }],
        ['POST', '/send', { conversation_id: id, content: 'x' }, { type: 'send' }],
        ['PATCH', `/messages/${own.id}`, { content: 'x' }, { type: 'edit', message_id: own.id }],
      ] as const) {
        t.match(await person.call(method, path, body), { status: 403, body: { code: 'BLOCKED' } })
        t.match(await socket?.request({ ...frame, ...body }), { type: 'error', problem: { code: 'BLOCKED' } })
      }
    }
    t.equal(await counterOf(alice), before, 'a refused request uses no number')
    t.equal((await bob.call('DELETE', `/messages/${reply.id}`)).status, 200)
    t.match(await sockets.get(alice)?.wait('message_updated'), { id: reply.id, content: '' })
    await unblock()
    t.equal((await bob.send(alice.username, 'again')).status, 'sent')
  })

  t.test('a block works before a conversation exists, and in both directions', async (t) => {
    const eve = await server.login('eve')
    const fay = await server.login('fay')
    await eve.call('PUT', '/blocks/fay')
    for (const [person, receiver_username] of [
      [eve, 'fay'],
      [fay, 'eve'],
    ] as const) {
      const reply = await person.call('POST', '/send', { receiver_username, content: 'x' })
      t.match(reply, { status: 403, body: { code: 'BLOCKED' } })
    }
    t.strictSame(await fay.conversations(), [])
    await fay.call('PUT', '/blocks/eve')
    await eve.call('DELETE', '/blocks/fay')
    t.equal((await eve.call('POST', '/send', { receiver_username: 'fay', content: 'x' })).status, 403)
    await fay.call('DELETE', '/blocks/eve')
    await eve.send('fay', 'at last')
  })

  t.test('receipts are hidden from the other side during a block and published when it ends', async (t) => {
    const { alice, bob, id, sent, reply, block, unblock } = await twoPeople()
    await mark(bob, id, sent.id)
    const away = await headOf(alice)
    await block()
    const [socket, mine] = [await alice.connect(), await bob.connect()]
    await mark(bob, id, reply.id)
    await mark(alice, id, reply.id)
    t.match(await alice.conversation(id), { read_up_to: reply.id, peer_read_up_to: sent.id })
    t.match(await bob.conversation(id), { read_up_to: reply.id, peer_read_up_to: 0 })
    const { body } = await alice.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)
    t.match(body.members, [
      { username: alice.username, read_up_to: reply.id },
      { username: bob.username, read_up_to: sent.id },
    ])
    await mine.wait(
      'receipt',
      ({ username, read_up_to }) => username === bob.username && read_up_to === reply.id,
    )
    t.match(
      (await eventsAfter(alice, away)).filter(({ type }) => type === 'receipt'),
      [{ username: alice.username }],
    )
    // The second block keeps the receipts that were visible when the first one began.
    await bob.call('PUT', `/blocks/${alice.username}`)
    await unblock()
    t.match(await alice.conversation(id), { peer_read_up_to: sent.id })
    await socket.settle()
    t.notOk(socket.frames.some((frame) => frame.type === 'receipt' && frame.username === bob.username))

    await bob.call('DELETE', `/blocks/${alice.username}`)
    t.match(await socket.wait('receipt', ({ username }) => username === bob.username), {
      read_up_to: reply.id,
    })
    t.match(await mine.wait('receipt', ({ username }) => username === alice.username), {
      read_up_to: reply.id,
    })
    t.match(await alice.conversation(id), { peer_read_up_to: reply.id })
    t.match(
      (await eventsAfter(alice, away)).filter(
        (event) => event.type === 'receipt' && event.username === bob.username,
      ),
      [{ read_up_to: reply.id }],
    )
  })

  t.test('a user who was offline when a block began receives the receipts from before it', async (t) => {
    const { alice, bob, id, reply, block, unblock } = await twoPeople()
    const away = await headOf(bob)
    await mark(alice, id, reply.id)
    await block()
    const shown = [{ type: 'receipt', username: alice.username, read_up_to: reply.id }]
    t.match(await eventsAfter(bob, away), shown, 'receipts from before the block are visible')
    const before = await counterOf(bob)
    await unblock()
    t.equal(await counterOf(bob), before + 1, 'no receipt is published again')
    t.match(await eventsAfter(bob, away), shown)
  })

  t.test(
    'a block applies to the direct conversation, and the blocked user cannot add the blocker to a group',
    async (t) => {
      const { alice, bob, block } = await twoPeople()
      const carol = await server.login('carol')
      await block()
      const members = [alice.username]
      t.match(await bob.call('POST', '/groups', { title: 'x', members }), {
        status: 403,
        body: { code: 'BLOCKED' },
      })
      const mine = await bob.createGroup('x', [carol.username])
      t.match(await bob.call('PUT', `/groups/${mine.id}/members/${alice.username}`), {
        status: 403,
        body: { code: 'BLOCKED' },
      })
      const group = await alice.createGroup('x', [bob.username])
      const socket = await alice.connect()
      t.equal((await bob.call('POST', '/send', { conversation_id: group.id, content: 'hi' })).status, 200)
      t.match(await socket.wait('message'), { sender: bob.username })
    },
  )

  t.test('a retry is recognised during a block', async (t) => {
    const { alice, bob, block } = await twoPeople()
    const first = await bob.send(alice.username, 'keyed', { client_id: 'key' })
    await block()
    t.equal((await bob.send(alice.username, 'keyed', { client_id: 'key' })).id, first.id)
  })
})
