import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { StorageError } from '../../db/errors.ts'
import type { Member, Receipt } from '../../schemas/conversation.ts'
import { type Person, startServer, temporaryFolder } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { counterOf, eventsAfter, headOf, readTwice, receiptsPublished } from '../support/stream.ts'
import { only } from '../support/test-database.ts'

const receiptsOf = ({ frames }: TestSocket) => frames.filter(({ type }) => type === 'receipt')

t.test('delivered and read marks', async (t) => {
  const server = await startServer(t, { MAX_RECEIPT_GROUP: '2' })
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const mark = (person: Person, id: number, marks: object) =>
    person.call<Receipt>('PUT', `/conversations/${id}/receipt`, marks)

  t.test('marks only increase, are clamped to the newest message, and read implies delivered', async (t) => {
    const one = await bob.send('alice', 'one')
    const two = await bob.send('alice', 'two')
    const id = one.conversation_id
    const expect = async (marks: object, delivered_up_to: number, read_up_to: number) => {
      const { status, body } = await mark(alice, id, marks)
      t.equal(status, 200)
      t.strictSame(body, { conversation_id: id, username: 'alice', delivered_up_to, read_up_to })
      t.match(await alice.conversation(id), { delivered_up_to, read_up_to })
      t.match(await bob.conversation(id), {
        peer_delivered_up_to: delivered_up_to,
        peer_read_up_to: read_up_to,
      })
    }
    await expect({ delivered_up_to: 0 }, 0, 0)
    await expect({ delivered_up_to: one.id }, one.id, 0)
    await expect({ read_up_to: one.id }, one.id, one.id)
    await expect({ delivered_up_to: 999_999 }, two.id, one.id)
    await expect({ read_up_to: 0, delivered_up_to: 1 }, two.id, one.id)
    await expect({ read_up_to: Number.MAX_SAFE_INTEGER }, two.id, two.id)
    await receiptsPublished(server.app)
    const before = await counterOf(alice)
    await expect({ read_up_to: one.id }, two.id, two.id)
    t.equal(await counterOf(alice), before, 'a mark that does not move uses no number')
    const { body } = await bob.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)
    t.match(body.members, [
      { username: 'alice', read_up_to: two.id },
      { username: 'bob', read_up_to: 0 },
    ])
  })

  t.test('a mark in another conversation, or without a value, is refused', async (t) => {
    const note = await bob.send('bob', 'a note')
    t.match(await mark(alice, note.conversation_id, { read_up_to: 1 }), { status: 404 })
    t.equal((await mark(bob, note.conversation_id, {})).status, 400)
    const socket = await bob.connect()
    t.match(await socket.request({ type: 'receipt', conversation_id: note.conversation_id }), {
      type: 'error',
      problem: { code: 'VALIDATION_FAILED' },
    })
  })

  t.test('marks are published at most once a second, and the last state always is', async (t) => {
    const carol = await server.login('carol')
    const socket = await carol.connect()
    const mine = await bob.connect()
    const sent: number[] = []
    let id = 0
    for (let i = 0; i < 10; i += 1) {
      const message = await carol.send('bob', `message ${i}`)
      sent.push(message.id)
      id = message.conversation_id
    }
    const started = performance.now()
    await Promise.all(
      sent.map((read_up_to) => mine.request({ type: 'receipt', conversation_id: id, read_up_to })),
    )
    const acks = mine.frames.flatMap((frame) => (frame.type === 'ack' ? [frame] : []))
    t.strictSame(
      acks.map(({ receipt }) => receipt?.read_up_to),
      sent,
      'each mark is stored and acknowledged',
    )
    t.ok(
      acks.every((ack) => ack.cursor),
      'each ack has the cursor in order, published or not',
    )

    const cursor = acks.at(-1)?.cursor as string
    const last = await socket.wait('receipt', ({ read_up_to }) => read_up_to === sent.at(-1))
    const most = 1 + Math.ceil((performance.now() - started) / 1000)
    t.ok(
      receiptsOf(socket).length <= most,
      `${receiptsOf(socket).length} frames for ten marks, at most ${most}`,
    )
    t.ok(Number(last.cursor.split('.')[1]) > Number(cursor.split('.')[1]), 'the last mark has its own cursor')
    t.match(await eventsAfter(carol, cursor), [{ type: 'receipt', username: 'bob', read_up_to: sent.at(-1) }])
    await receiptsPublished(server.app)
    const before = await counterOf(carol)
    const later = await carol.send('bob', 'later')
    await mine.wait('message', (frame) => frame.id === later.id)
    t.equal(await counterOf(carol), before + 1)
  })

  t.test('a mark whose publication failed is published later', async (t) => {
    const dora = await server.login('dora')
    const socket = await dora.connect()
    const [one, two] = [await dora.send('bob', 'one'), await dora.send('bob', 'two')]
    const { writer } = server.app.database
    const { append } = writer
    let refused = 0
    writer.append = ((name: 'announceOverdue', ...rest: [never]) => {
      if (name !== 'announceOverdue' || refused > 0) return append(name, ...rest)
      refused += 1
      return Promise.reject(new StorageError('busy', 'no'))
    }) as typeof append
    await readTwice(server, bob, one, two)
    await socket.wait('receipt', ({ read_up_to }) => read_up_to === two.id)
    t.equal(refused, 1)
    t.equal(server.app.problems.counts.get('STORAGE_UNAVAILABLE'), 1, 'the failure is reported')
    writer.append = append
  })

  t.test('marks of a large group reach their user’s devices only, live and after a resume', async (t) => {
    const small = await alice.createGroup('two', ['bob'])
    const large = await alice.createGroup('three', ['bob', 'carol'])
    const [cursor, bobs] = [await headOf(alice), await headOf(bob)]
    const [socket, mine] = [await alice.connect(), await bob.connect()]
    for (const { id } of [large, small]) {
      const sent = await alice.send(id, 'hi')
      await mark(bob, id, { read_up_to: sent.id })
    }
    await socket.wait('receipt', ({ conversation_id }) => conversation_id === small.id)
    t.equal(receiptsOf(socket).length, 1)
    await mine.wait('receipt', ({ conversation_id }) => conversation_id === large.id)
    const receiptIds = async (person: Person, after: string) =>
      (await eventsAfter(person, after)).flatMap((event) =>
        event.type === 'receipt' ? [event.conversation_id] : [],
      )
    t.strictSame(await receiptIds(alice, cursor), [small.id])
    t.strictSame(await receiptIds(bob, bobs), [large.id, small.id])
  })

  t.test(
    'marks held back by the group size are published to the members when the size changes',
    async (t) => {
      const group = await alice.createGroup('x', ['bob'])
      const read = async () => {
        const { id } = await alice.send(group.id, 'hi')
        await mark(bob, group.id, { read_up_to: id })
        return id
      }
      const shown = async () => {
        const { body } = await alice.call<{ members: Member[] }>('GET', `/conversations/${group.id}/members`)
        return body.members.find(({ username }) => username === 'bob')?.read_up_to
      }
      const cursor = await headOf(alice)
      const one = await read()
      await alice.call('PUT', `/groups/${group.id}/members/carol`)
      const missed = (await eventsAfter(alice, cursor)).map(({ type }) => type)
      t.strictSame(
        missed,
        ['message', 'conversation'],
        'the offline member receives the third member and not the mark',
      )
      t.equal(await shown(), one)

      const socket = await alice.connect()
      const two = await read()
      await alice.call('DELETE', `/groups/${group.id}/members/carol`)
      await socket.wait('conversation', ({ member_count }) => member_count === 2)
      t.equal(await shown(), two, 'the connected member does not receive the mark either')
    },
  )

  t.test('waiting marks are published before a member leaves a group', async (t) => {
    const group = await alice.createGroup('brief', ['bob'])
    const mine = await bob.connect()
    const say = async () => (await alice.send(group.id, 'hi')).id
    const [one, two] = [await say(), await say()]
    for (const id of [one, two]) await mark(bob, group.id, { read_up_to: id })
    await bob.call('DELETE', `/groups/${group.id}/members/bob`)
    await mine.wait('conversation', ({ you }) => you === 'left')
    t.match(receiptsOf(mine).at(-1), { read_up_to: two })
    t.match(await bob.conversation(group.id), { read_up_to: two, unread_count: 0 })
    t.match(await mark(bob, group.id, { read_up_to: two }), { status: 403, body: { code: 'FORBIDDEN' } })
  })
})

t.test(
  'a mark that a killed server did not publish is published by the next one',
  { skip: only('sqlite', 'it copies the files.') },
  async (t) => {
    const secret = 'the same for both of the servers'
    const first = await startServer(t, { JWT_SECRET: secret })
    first.app.chat.receiptSweep.stop()
    const alice = await first.login('alice')
    const bob = await first.login('bob')
    const [one, two] = [await alice.send('bob', 'one'), await alice.send('bob', 'two')]
    await readTwice(first, bob, one, two)
    const cursor = await headOf(alice)
    t.match(await bob.conversation(one.conversation_id), { read_up_to: two.id }, 'the mark is stored')
    const folder = await temporaryFolder(t)
    for (const suffix of ['', '-wal']) {
      cpSync(join(first.folder, `messenger.db${suffix}`), join(folder, `messenger.db${suffix}`))
    }
    const second = await startServer(t, {
      JWT_SECRET: secret,
      DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`,
    })
    const again = await second.login('alice')
    const socket = await again.connect({ cursor })
    t.match(await socket.wait('receipt'), { username: 'bob', read_up_to: two.id })
    await socket.settle()
    t.equal(receiptsOf(socket).length, 1)
  },
)
