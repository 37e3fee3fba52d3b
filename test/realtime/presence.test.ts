import t from 'tap'
import type { Conversation } from '../../schemas/conversation.ts'
import { startServer } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { headOf, holdReplays } from '../support/stream.ts'

const presenceOf = ({ frames }: TestSocket) => frames.filter(({ type }) => type === 'presence')

t.test('presence', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const carol = await server.login('carol')
  await alice.send('bob', 'hello')

  t.test('is told now and as it changes, of those one has a conversation with', async (t) => {
    const socket = await alice.connect()
    await socket.ask({ type: 'watch', usernames: ['BOB', 'carol', 'alice', 'nobody'] })
    t.match(presenceOf(socket), [{ username: 'bob', online: false }])
    t.equal(presenceOf(socket).length, 1, 'of nobody else')
    const phone = await bob.connect()
    await socket.wait('presence', ({ online }) => online)
    const other = await carol.connect()
    await carol.send('alice', 'now there is one')
    t.match(await socket.wait('presence', ({ username }) => username === 'carol'), { online: true })

    await phone.close()
    const left = await socket.wait('presence', ({ online }) => !online, socket.frames.length)
    t.match(left, { username: 'bob' })
    t.ok(left.last_seen, 'with the time')
    await socket.ask({ type: 'watch', usernames: [] })
    const count = presenceOf(socket).length
    const back = await bob.connect()
    await socket.settle()
    t.equal(presenceOf(socket).length, count, 'who watches nobody is told nothing')
    await socket.ask({ type: 'watch', usernames: ['bob'] })
    t.match(presenceOf(socket).at(-1), { username: 'bob', online: true }, 'a new list replaces the last')
    for (const opened of [socket, back, other]) await opened.close()
  })

  t.test(
    'of several devices the last to go counts, and who comes back in a moment was not away',
    async (t) => {
      const dora = await server.login('dora')
      await dora.send('alice', 'hello')
      const socket = await alice.connect()
      const [phone, laptop] = [await dora.connect(), await dora.connect()]
      await socket.ask({ type: 'watch', usernames: ['dora'] })
      await phone.close()
      await laptop.close()
      const again = await dora.connect()
      await socket.settle()
      t.match(presenceOf(socket), [{ username: 'dora', online: true }])
      t.equal(presenceOf(socket).length, 1)
      await again.close()
      await socket.wait('presence', ({ online }) => !online)
      t.equal(presenceOf(socket).length, 2)
      await socket.close()
    },
  )

  t.test('ends with the conversation and with a block, and begins again with them', async (t) => {
    const eve = await server.login('eve')
    const [socket, theirs] = [await alice.connect(), await eve.connect()]
    await socket.ask({ type: 'watch', usernames: ['eve'] })
    const { body: group } = await alice.call<Conversation>('POST', '/groups', {
      title: 'g',
      members: ['eve'],
    })
    const next = async (online: boolean) => {
      const seen = presenceOf(socket).length
      await socket.wait(
        'presence',
        (frame) => frame.online === online && presenceOf(socket).indexOf(frame) >= seen,
      )
    }
    const until = async (online: boolean, what: () => Promise<unknown>) => {
      const seen = socket.frames.length
      await what()
      await socket.wait('presence', (frame) => frame.online === online, seen)
      t.pass(online ? 'shown' : 'hidden')
    }
    if (presenceOf(socket).length === 0) await next(true)
    await until(false, () => alice.call('DELETE', `/groups/${group.id}/members/eve`))
    await until(true, () => alice.send('eve', 'direct'))
    await until(false, () => eve.call('PUT', '/blocks/alice'))
    await until(true, () => eve.call('DELETE', '/blocks/alice'))
    await theirs.close()
    await socket.close()
  })

  t.test('a socket that replays may watch', async (t) => {
    const phone = await bob.connect()
    const cursor = await headOf(alice)
    await bob.send('alice', 'missed')
    const gate = holdReplays(server)
    const socket = await alice.connect({ cursor })
    await gate.reached
    await socket.ask({ type: 'watch', usernames: ['bob'] })
    t.match(presenceOf(socket), [{ username: 'bob', online: true }])
    gate.open()
    await socket.wait('caught_up')
    await phone.close()
    await socket.close()
  })

  t.test('a list that was replaced in a moment is not looked at, and answered all the same', async (t) => {
    const phone = await bob.connect()
    const socket = await alice.connect()
    await socket.ask({ type: 'watch', usernames: ['bob'] })
    const lists = [['carol'], ['bob', 'dora'], [], ['bob']]
    const answers = await Promise.all(lists.map((usernames) => socket.ask({ type: 'watch', usernames })))
    for (const answer of answers) t.match(answer, { type: 'ack' })
    t.match(presenceOf(socket), [
      { username: 'bob', online: true },
      { username: 'bob', online: true },
    ])
    t.equal(presenceOf(socket).length, 2, 'of the first list and of the last one')
    await phone.close()
    await socket.close()
  })

  t.test('a look that fails harms nobody, and the next one is right', async (t) => {
    const phone = await bob.connect()
    const socket = await alice.connect()
    await socket.ask({ type: 'watch', usernames: ['bob'] })
    const { reader } = server.app.chat
    const { get } = reader
    const failed = new Promise<void>((resolve) => {
      reader.get = () => {
        resolve()
        return Promise.reject(new Error('the disk'))
      }
    })
    const tell = () => server.app.chat.bus.signal({ type: 'acquaintance', user_ids: [alice.id, bob.id] })
    tell()
    await failed
    reader.get = get
    t.match(await socket.settle(), { type: 'pong' })
    await bob.call('PUT', '/blocks/alice')
    await socket.wait('presence', ({ online }) => !online)
    await bob.call('DELETE', '/blocks/alice')
    await socket.wait('presence', ({ online }) => online, socket.frames.length)
    await phone.close()
    await socket.close()
  })

  t.test('a plain socket makes one present, and is told nothing', async (t) => {
    const fay = await server.login('fay')
    await fay.send('alice', 'hello')
    const socket = await alice.connect()
    await socket.ask({ type: 'watch', usernames: ['fay'] })
    const plain = await fay.connect({ plain: true })
    await socket.wait('presence', ({ online }) => online)
    t.strictSame(plain.frames, [])
  })
})

t.test('a device that dies without a goodbye is gone after two heartbeats', async (t) => {
  const server = await startServer(t, { HEARTBEAT_MS: '200' })
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  await alice.send('bob', 'hello')
  const socket = await alice.connect()
  const dead = await bob.connect()
  await socket.ask({ type: 'watch', usernames: ['bob'] })
  dead.socket.pause()
  t.match(await socket.wait('presence', ({ online }) => !online), { username: 'bob' })
  dead.socket.resume()
  t.equal((await dead.closed).code, 4408)
})

t.test('who is on several servers is online until the last of them is left', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  await alice.send('bob', 'hello')
  const socket = await alice.connect()
  await socket.ask({ type: 'watch', usernames: ['bob'] })
  const tell = (server: string, online: boolean) =>
    app.chat.bus.signal({ type: 'presence', server, user_id: bob.id, username: 'bob', online })
  tell('one', true)
  tell('two', true)
  tell('one', false)
  tell('one', false)
  await socket.settle()
  const shown = () => socket.frames.flatMap((frame) => (frame.type === 'presence' ? [frame.online] : []))
  t.strictSame(shown(), [false, true])
  tell('two', false)
  await socket.settle()
  t.strictSame(shown(), [false, true, false])
})
