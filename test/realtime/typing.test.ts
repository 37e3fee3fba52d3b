import t from 'tap'
import { rawFrame, rawSocket } from '../support/frames.ts'
import { startServer } from '../support/server.ts'
import { counterOf } from '../support/stream.ts'

t.test('typing frames are relayed and never stored', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const carol = await server.login('carol')
  const { conversation_id } = await alice.send('bob', 'hello')
  const group = await alice.createGroup('g', ['bob', 'carol'])
  const [mine, other, peer, third, plain] = [
    await alice.connect(),
    await alice.connect(),
    await bob.connect(),
    await carol.connect(),
    await bob.connect({ plain: true }),
  ]
  const before = await counterOf(alice)
  const typingOf = ({ frames }: typeof mine) => frames.filter(({ type }) => type === 'typing')

  // Sent together, so that the third frame follows the first within 3 s on a busy machine too.
  mine.send({ type: 'typing', conversation_id, id: 'no answer' })
  mine.send({ type: 'typing', conversation_id: group.id })
  mine.send({ type: 'typing', conversation_id })
  t.strictSame(await peer.wait('typing'), { type: 'typing', conversation_id, username: 'alice' })
  t.match(await third.wait('typing'), { conversation_id: group.id, username: 'alice' })
  await mine.settle()
  await peer.settle()
  t.equal(typingOf(peer).length, 2, 'at most one relayed frame in 3 s for each conversation')
  t.equal(typingOf(third).length, 1, 'members only')
  await other.settle()
  t.strictSame([...typingOf(mine), ...typingOf(other)], [], 'the user’s own devices receive none')
  t.notOk(
    mine.frames.some(({ type }) => type === 'ack'),
    'typing frames get no reply',
  )
  t.strictSame(plain.frames, [], 'a plain socket receives messages only')
  t.equal(await counterOf(alice), before)

  t.match(await third.request({ type: 'typing', conversation_id }), {
    type: 'error',
    problem: { code: 'CONVERSATION_NOT_FOUND' },
  })
  await carol.call('DELETE', `/groups/${group.id}/members/carol`)
  t.match(await third.request({ type: 'typing', conversation_id: group.id }), {
    type: 'error',
    problem: { code: 'FORBIDDEN' },
  })
  await alice.call('PUT', '/blocks/bob')
  peer.send({ type: 'typing', conversation_id })
  await peer.settle()
  await mine.settle()
  t.strictSame(typingOf(mine), [], 'a block stops typing frames')
})

t.test('a block stops typing frames in a common group too', async (t) => {
  const { login } = await startServer(t)
  const people = [await login('alice'), await login('bob'), await login('carol')] as const
  const [alice, bob, carol] = people
  const group = await alice.createGroup('g', ['bob', 'carol'])
  const [mine, peer, third] = [await alice.connect(), await bob.connect(), await carol.connect()]
  const heard = ({ frames }: typeof mine) =>
    frames.flatMap((frame) => (frame.type === 'typing' ? [frame.username] : []))
  await alice.call('PUT', '/blocks/bob')
  mine.send({ type: 'typing', conversation_id: group.id })
  await third.wait('typing', ({ username }) => username === 'alice')
  peer.send({ type: 'typing', conversation_id: group.id })
  await third.wait('typing', ({ username }) => username === 'bob')
  await mine.settle()
  await peer.settle()
  t.strictSame([heard(mine), heard(peer), heard(third)], [[], [], ['alice', 'bob']])
})

t.test('of many typing frames in one packet one is relayed', async (t) => {
  const { url, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const { conversation_id } = await alice.send('bob', 'hello')
  const peer = await bob.connect()
  const socket = await rawSocket(t, url, alice.token)
  const frame = rawFrame(JSON.stringify({ type: 'typing', conversation_id }))
  const ping = rawFrame('{"type":"ping","id":"behind"}')
  socket.write(Buffer.concat([...Array.from({ length: 50 }, () => frame), ping]))
  await socket.until(({ payload }) => payload.includes('behind'))
  await alice.send('bob', 'done')
  await peer.wait('message', ({ content }) => content === 'done')
  t.equal(peer.frames.filter(({ type }) => type === 'typing').length, 1)
})

t.test('typing frames are dropped first for a slow reader', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const { conversation_id } = await alice.send('bob', 'hello')
  const peer = await bob.connect()
  const [connection] = server.app.sockets.hub.connectionsOf(bob.id)
  Object.assign(server.app.sockets, { config: { ...server.app.sockets.config, SOCKET_SOFT_LIMIT: -1 } })
  const mine = await alice.connect()
  mine.send({ type: 'typing', conversation_id })
  await mine.settle()
  await alice.send('bob', 'a message comes')
  await peer.wait('message')
  t.ok(connection && !peer.frames.some(({ type }) => type === 'typing'))
})
