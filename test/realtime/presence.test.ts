import t from 'tap'
import { startServer } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'
import { headOf, holdReplays } from '../support/stream.ts'
import { beforeReads } from '../support/reads.ts'

const presenceOf = ({ frames }: TestSocket) => frames.filter(({ type }) => type === 'presence')

t.test('presence', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  const carol = await server.login('carol')
  await alice.send('bob', 'hello')

  t.test('is sent at once and on each change, for users with a common conversation', async (t) => {
    const socket = await alice.connect()
    await socket.request({ type: 'watch', usernames: ['BOB', 'carol', 'alice', 'nobody'] })
    t.match(presenceOf(socket), [{ username: 'bob', online: false }])
    t.equal(presenceOf(socket).length, 1, 'no presence of other users is sent')
    const phone = await bob.connect()
    await socket.wait('presence', ({ online }) => online)
    const other = await carol.connect()
    await carol.send('alice', 'now there is one')
    t.match(await socket.wait('presence', ({ username }) => username === 'carol'), { online: true })

    await phone.close()
    const left = await socket.wait('presence', ({ online }) => !online, socket.frames.length)
    t.match(left, { username: 'bob' })
    t.ok(left.last_seen, 'the frame has the time')
    await socket.request({ type: 'watch', usernames: [] })
    const count = presenceOf(socket).length
    const back = await bob.connect()
    await socket.settle()
    t.equal(presenceOf(socket).length, count, 'a socket that watches nobody receives no presence')
    await socket.request({ type: 'watch', usernames: ['bob'] })
    t.match(presenceOf(socket).at(-1), { username: 'bob', online: true }, 'the new list replaces the old one')
    for (const opened of [socket, back, other]) await opened.close()
  })

  t.test(
    'a user is offline when the last device disconnects, and a quick reconnect is not an absence',
    async (t) => {
      const dora = await server.login('dora')
      await dora.send('alice', 'hello')
      const socket = await alice.connect()
      const [phone, laptop] = [await dora.connect(), await dora.connect()]
      await socket.request({ type: 'watch', usernames: ['dora'] })
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

  t.test('ends with the conversation or a block, and resumes with them', async (t) => {
    const eve = await server.login('eve')
    const [socket, theirs] = [await alice.connect(), await eve.connect()]
    await socket.request({ type: 'watch', usernames: ['eve'] })
    const group = await alice.createGroup('g', ['eve'])
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

  t.test('can be watched during a replay', async (t) => {
    const phone = await bob.connect()
    const cursor = await headOf(alice)
    await bob.send('alice', 'missed')
    const gate = holdReplays(server)
    const socket = await alice.connect({ cursor })
    await gate.reached
    await socket.request({ type: 'watch', usernames: ['bob'] })
    t.match(presenceOf(socket), [{ username: 'bob', online: true }])
    gate.open()
    await socket.wait('caught_up')
    await phone.close()
    await socket.close()
  })

  t.test('a watch list that is replaced at once is not looked up, and still gets its ack', async (t) => {
    const phone = await bob.connect()
    const socket = await alice.connect()
    await socket.request({ type: 'watch', usernames: ['bob'] })
    const lists = [['carol'], ['bob', 'dora'], [], ['bob']]
    const answers = await Promise.all(lists.map((usernames) => socket.request({ type: 'watch', usernames })))
    for (const reply of answers) t.match(reply, { type: 'ack' })
    t.match(presenceOf(socket), [
      { username: 'bob', online: true },
      { username: 'bob', online: true },
    ])
    t.equal(presenceOf(socket).length, 2, 'presence of the first and the last list')
    await phone.close()
    await socket.close()
  })

  t.test('a failed lookup affects no other socket, and the next lookup succeeds', async (t) => {
    const phone = await bob.connect()
    const socket = await alice.connect()
    await socket.request({ type: 'watch', usernames: ['bob'] })
    let end = () => {}
    const failed = new Promise<void>((resolve) => {
      end = beforeReads(server.app.chat.reader, () => {
        resolve()
        throw new Error('the disk')
      })
    })
    await bob.call('PUT', '/blocks/alice')
    await failed
    end()
    t.match(await socket.settle(), { type: 'pong' })
    await socket.wait('presence', ({ online }) => !online)
    await bob.call('DELETE', '/blocks/alice')
    await socket.wait('presence', ({ online }) => online, socket.frames.length)
    await phone.close()
    await socket.close()
  })

  t.test('a plain socket makes its user online and receives no presence', async (t) => {
    const fay = await server.login('fay')
    await fay.send('alice', 'hello')
    const socket = await alice.connect()
    await socket.request({ type: 'watch', usernames: ['fay'] })
    const plain = await fay.connect({ plain: true })
    await socket.wait('presence', ({ online }) => online)
    t.strictSame(plain.frames, [])
  })
})

t.test('a peer that disappears is offline after two missed heartbeats', async (t) => {
  const server = await startServer(t, { HEARTBEAT_MS: '400' })
  const alice = await server.login('alice')
  const bob = await server.login('bob')
  await alice.send('bob', 'hello')
  const socket = await alice.connect()
  const dead = await bob.connect()
  await socket.request({ type: 'watch', usernames: ['bob'] })
  dead.socket.pause()
  t.match(await socket.wait('presence', ({ online }) => !online), { username: 'bob' })
  dead.socket.resume()
  t.equal((await dead.closed).code, 4408)
})

t.test('a user on several servers is online until the last server has no socket', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  await alice.send('bob', 'hello')
  const socket = await alice.connect()
  await socket.request({ type: 'watch', usernames: ['bob'] })
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
