import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import t from 'tap'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { wrapReads } from '../support/reads.ts'
import { startServer, temporaryFolder } from '../support/server.ts'
import {
  headOf,
  holdReplays,
  inPagesOf,
  loseNextBatch,
  nextWait,
  readTwice,
  receiptsPublished,
} from '../support/stream.ts'
import { only } from '../support/test-database.ts'

const idsOf = (frames: readonly ServerFrame[]) =>
  frames.flatMap((frame) => (frame.type === 'message' ? [frame.id] : []))

const cursorsOf = (frames: readonly ServerFrame[]) =>
  frames.flatMap((frame) =>
    'cursor' in frame && frame.type !== 'hello' && frame.type !== 'caught_up'
      ? [Number(frame.cursor?.split('.')[1])]
      : [],
  )

const isRising = (numbers: readonly number[]) =>
  numbers.every((number, index) => index === 0 || number > (numbers[index - 1] as number))

const server = await startServer(t, { RATE_LIMIT_SEND: '0', SOCKET_HARD_LIMIT: '1024' })
inPagesOf(server, 2)
let people = 0
/** A new user on the server that these tests share. */
const somebody = (name: string) => {
  people += 1
  return server.login(`${name}${people}`)
}

t.test('a reconnecting socket receives each missed message exactly once, in order', async (t) => {
  const alice = await somebody('alice')
  const bob = await somebody('bob')
  const cursor = await headOf(alice)
  const sent: number[] = []
  for (let i = 0; i < 20; i += 1) sent.push((await bob.send(alice.username, `missed ${i}`)).id)

  const socket = await alice.connect({ cursor })
  t.match(socket.frames[0], { type: 'hello', cursor }, 'the stream resumes at the given cursor')
  for (let i = 0; i < 20; i += 1) sent.push((await bob.send(alice.username, `meanwhile ${i}`)).id)
  await socket.wait('message', ({ id }) => id === sent.at(-1))
  t.strictSame(idsOf(socket.frames), sent)
  t.ok(isRising(cursorsOf(socket.frames)), 'cursors never decrease')
  t.equal(socket.frames.filter(({ type }) => type === 'caught_up').length, 1)

  const again = await alice.connect({
    cursor: (await socket.wait('message', ({ id }) => id === sent[29])).cursor,
  })
  await again.wait('caught_up')
  t.strictSame(idsOf(again.frames), sent.slice(30), 'a cursor from the middle replays the messages after it')
  const nothing = await alice.connect({ cursor: (await again.wait('caught_up')).cursor })
  t.strictSame((await nothing.wait('caught_up')) && idsOf(nothing.frames), [], 'the last replays nothing')
})

t.test(
  'an ack during a replay is sent at once without a cursor, and its change arrives in order',
  async (t) => {
    const alice = await somebody('alice')
    const bob = await somebody('bob')
    const cursor = await headOf(alice)
    for (let i = 0; i < 5; i += 1) await bob.send(alice.username, `missed ${i}`)
    const gate = holdReplays(server)
    const socket = await alice.connect({ cursor })
    await gate.reached

    const ack = await socket.request({ receiver_username: bob.username, content: 'from the middle' })
    t.match(ack, { type: 'ack', message: { content: 'from the middle' } })
    t.notOk('cursor' in ack, 'the ack has no cursor')
    t.match(await socket.request({ type: 'ping' }), { type: 'pong' }, 'a ping does not wait for the replay')
    t.match(await socket.request({ type: 'auth', token: alice.token }), { type: 'ack' }, 'nor an auth frame')
    t.strictSame(idsOf(socket.frames), [], 'commits during the replay are not queued')

    gate.open()
    await socket.wait('caught_up')
    const ids = idsOf(socket.frames)
    t.equal(ids.length, 6)
    t.ok(isRising(ids))
    t.match(socket.frames.at(-2), { type: 'message', content: 'from the middle' }, 'delivered in order')
    const live = await socket.request({ receiver_username: bob.username, content: 'live' })
    t.ok('cursor' in live, 'a live ack has its cursor')
  },
)

t.test('a socket that closes during a replay is released', async (t) => {
  const alice = await somebody('alice')
  const cursor = await headOf(alice)
  for (let i = 0; i < 5; i += 1) await alice.send(alice.username, `note ${i}`)
  const gate = holdReplays(server)
  const socket = await alice.connect({ cursor })
  await gate.reached
  await socket.close()
  gate.open()
  t.equal(server.app.sockets.hub.connectionsOf(alice.id).size, 0)
  const again = await alice.connect({ cursor })
  await again.wait('caught_up')
  t.equal(idsOf(again.frames).length, 5)
})

t.test('a replay that cannot be read closes the socket, which can resume later', async (t) => {
  const alice = await somebody('alice')
  const cursor = await headOf(alice)
  await alice.send(alice.username, 'a note')
  const end = wrapReads(server.app.chat.reader, (read) => ({
    ...read,
    all: () => Promise.reject(new Error('the disk')),
  }))
  const socket = await alice.connect({ cursor })
  t.equal((await socket.closed).code, 1011)
  end()
  const again = await alice.connect({ cursor })
  t.match(await again.wait('message'), { content: 'a note' })
})

t.test('a slow reader’s replay follows its pace and queues little', async (t) => {
  const { app } = server
  const alice = await somebody('alice')
  const bob = await somebody('bob')
  const cursor = await headOf(alice)
  const content = '😀'.repeat(4096)
  const headers = { authorization: `Bearer ${bob.token}` }
  const payload = { receiver_username: alice.username, content }
  const sends = Array.from({ length: 600 }, () =>
    app.inject({ method: 'POST', url: '/send', headers, payload }),
  )
  const last = (await Promise.all(sends)).at(-1)?.json().id

  const served = new Promise<Socket>((resolve) => app.server.once('connection', resolve))
  const opening = alice.connect({ cursor })
  const tcp = await served
  const socket = await opening
  socket.socket.pause()
  let most = 0
  const watch = () => {
    most = Math.max(most, tcp.writableLength)
  }
  // Frames from this socket wait while it reads nothing. Other sockets are served.
  while (tcp.writableLength < 65_536) {
    await bob.call('GET', '/users/me')
    watch()
  }
  for (let i = 0; i < 20; i += 1) {
    await bob.call('GET', '/users/me')
    watch()
  }
  t.ok(most < 150_000, `at most ${most} bytes of ten million were queued`)
  socket.socket.resume()
  await socket.wait('caught_up')
  const ids = idsOf(socket.frames)
  t.equal(ids.length, 600, 'no message is lost')
  t.ok(isRising(ids) && ids.at(-1) === last)
})

t.test('an unknown cursor is reported, and the stream starts at the head', async (t) => {
  const two = await startServer(t)
  const alice = await somebody('alice')
  const stranger = await two.login('alice')
  await alice.send(alice.username, 'a note')
  const head = await headOf(alice)
  const [epoch, number] = head.split('.') as [string, string]
  const unknown = {
    'from another database': await headOf(stranger),
    'from the future': `${epoch}.${Number(number) + 1}`,
    'above all numbers': `${epoch}.99999999999999999`,
    malformed: 'nonsense',
    empty: '',
  }
  for (const [what, cursor] of Object.entries(unknown)) {
    const socket = await alice.connect({ cursor })
    const [error, hello] = socket.frames
    t.match(
      error,
      { type: 'error', retryable: false, problem: { code: 'CURSOR_UNKNOWN', status: 410, cursor: head } },
      what,
    )
    t.match(hello, { type: 'hello', cursor: head }, 'the stream starts at the head')
    await socket.settle()
    t.notOk(
      socket.frames.some(({ type }) => type === 'caught_up' || type === 'message'),
      'without a replay',
    )
    const { status, body } = await alice.call('GET', `/sync?cursor=${encodeURIComponent(cursor)}`)
    t.equal(status, 410)
    t.match(body, { code: 'CURSOR_UNKNOWN', cursor: head }, `${what}, by /sync`)
  }
})

t.test(
  'a restored copy and its original reject each other’s cursors',
  { skip: only('sqlite', 'it copies the files.') },
  async (t) => {
    const original = await startServer(t, { JWT_SECRET: 'the same for both of the servers' })
    const alice = await original.login('alice')
    const bob = await original.login('bob')
    const [one, two] = [await bob.send('alice', 'one'), await bob.send('alice', 'two')]
    // The first receipt is published at once. The original never publishes the second one, and the copy publishes it under
    // its own number.
    original.app.chat.receiptSweep.stop()
    await readTwice(original, alice, one, two)
    const before = await headOf(bob)

    const folder = await temporaryFolder(t)
    for (const suffix of ['', '-wal']) {
      cpSync(join(original.folder, `messenger.db${suffix}`), join(folder, `messenger.db${suffix}`))
    }
    await alice.send('bob', 'only in the original')
    const after = await headOf(bob)
    const copy = await startServer(t, {
      DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`,
      JWT_SECRET: 'the same for both of the servers',
    })
    const restored = await copy.login('bob')
    const sync = (cursor: string) => restored.call<SyncPage>('GET', `/sync?cursor=${cursor}`)

    t.equal((await sync(after)).status, 410, 'a cursor from after the copy is unknown')
    await receiptsPublished(copy.app)
    t.match(
      (await sync(before)).body.events,
      [{ type: 'receipt', username: 'alice', read_up_to: two.id }],
      'a cursor from before the copy is valid, and its events include the waiting receipt',
    )
    await alice.send('bob', 'again')
    const theirs = await headOf(restored)
    t.equal(
      (await bob.call('GET', `/sync?cursor=${theirs}`)).status,
      410,
      'the original rejects a cursor of the copy',
    )
  },
)

t.test('cursors from before a restart stay valid', async (t) => {
  const first = await startServer(t)
  const alice = await first.login('alice')
  const cursor = await headOf(alice)
  await alice.send('alice', 'before')
  await first.app.close()
  const second = await startServer(t, {}, first.folder)
  const again = await second.login('alice')
  await again.send('alice', 'after')
  const socket = await again.connect({ cursor })
  await socket.wait('caught_up')
  t.match(
    socket.frames.filter(({ type }) => type === 'message'),
    [{ content: 'before' }, { content: 'after' }],
  )
})

t.test('events that the bus lost are read from the database', async (t) => {
  const loseNext = () => loseNextBatch(server)
  const alice = await somebody('alice')
  const bob = await somebody('bob')
  const carol = await somebody('carol')
  await bob.send(alice.username, 'known')
  const socket = await alice.connect()
  const plain = await alice.connect({ plain: true })

  loseNext()
  await bob.send(alice.username, 'lost on its way')
  t.strictSame((await socket.settle()) && idsOf(socket.frames), [], 'no event was published')
  await carol.send(carol.username, 'a note of no concern to alice')
  t.match(await socket.wait('message'), { content: 'lost on its way' })
  t.match(await plain.next(), { type: 'message', content: 'lost on its way' })
  await bob.send(alice.username, 'later')
  await socket.wait('message', ({ content }) => content === 'later')
  t.equal(idsOf(socket.frames).length, 2, 'each event arrives once')
  t.match(await plain.next(), { content: 'later' })

  const cursor = await headOf(alice)
  const isWaiting = nextWait(server)
  const waiting = alice.call<SyncPage>('GET', `/sync?wait=30&cursor=${cursor}`)
  await isWaiting
  loseNext()
  await bob.send(alice.username, 'lost again')
  await carol.send(carol.username, 'another note')
  t.match((await waiting).body.events, [{ content: 'lost again' }], 'a waiting /sync call reads again')

  loseNext()
  const ack = await (await bob.connect()).request({
    receiver_username: alice.username,
    content: 'mine is lost',
  })
  t.match(ack, { type: 'ack', message: { content: 'mine is lost' } }, 'an ack does not depend on the bus')
  t.notOk('cursor' in ack)
})

t.test('membership periods during an absence decide which events the member receives', async (t) => {
  const owner = await somebody('owner')
  const guest = await somebody('guest')
  const group = await owner.createGroup('one', [guest.username])
  const say = async (content: string) => (await owner.send(group.id, content)).id
  const early = await say('early')
  const cursor = await headOf(guest)
  const edit = (id: number, content: string) => owner.call('PATCH', `/messages/${id}`, { content })
  const path = `/groups/${group.id}/members/${guest.username}`

  const inFirst = await say('in the first period')
  await owner.call('DELETE', path)
  const between = await say('between the periods')
  await edit(early, 'edited while away')
  await owner.call('PATCH', `/groups/${group.id}`, { title: 'two' })
  await owner.call('PUT', path)
  const inSecond = await say('in the second period')
  await edit(between, 'still not for the guest')
  await edit(inFirst, 'edited when back')

  const socket = await guest.connect({ cursor })
  await socket.wait('caught_up')
  const [, ...frames] = socket.frames
  t.match(frames, [
    { type: 'message', id: inFirst, content: 'edited when back' },
    { type: 'conversation', you: 'left', title: 'one', member_count: 1 },
    { type: 'conversation', you: 'joined', title: 'two', member_count: 2 },
    { type: 'message', id: inSecond },
    { type: 'message_updated', id: inFirst, content: 'edited when back' },
    { type: 'caught_up' },
  ])
  t.equal(frames.length, 6)
})
