import t from 'tap'
import type { SyncPage } from '../../schemas/sync.ts'
import { startServer } from '../support/server.ts'
import { headOf, nextWait } from '../support/stream.ts'

const fault = new Error('a fault of the test')

t.test('a commit that the cache failed to record is read from the database', async (t) => {
  const { app, login } = await startServer(t)
  const logged: unknown[] = []
  Object.assign(app.log, { error: (details: unknown) => logged.push(details) })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const sent = await alice.send('bob', 'first')
  const cursor = await headOf(bob)
  const { recent } = app.chat
  const { take } = recent
  recent.take = () => {
    recent.take = take
    throw fault
  }
  t.equal((await alice.call('PATCH', `/messages/${sent.id}`, { content: 'edited' })).status, 200)
  t.match(await bob.history('alice'), [{ content: 'edited' }])
  t.match(logged, [{ err: fault }], 'the fault is logged once')
  await alice.send('bob', 'second')
  t.match(await bob.history('alice'), [{ content: 'edited' }, { content: 'second' }])
  t.match((await bob.call<SyncPage>('GET', `/sync?cursor=${cursor}`)).body.events, [
    { type: 'message_updated', content: 'edited' },
    { type: 'message', content: 'second' },
  ])
})

t.test('after a fault in the fan-out every socket reads the lost events from the database', async (t) => {
  const server = await startServer(t)
  const { app, login } = server
  const logged: unknown[] = []
  Object.assign(app.log, { error: (details: unknown) => logged.push(details) })
  const [alice, bob, carol] = [await login('alice'), await login('bob'), await login('carol')]
  const cursor = await headOf(carol)
  const [socket, mine] = [await bob.connect(), await alice.connect()]
  const isWaiting = nextWait(server)
  const waiting = carol.call<SyncPage>('GET', `/sync?wait=30&cursor=${cursor}`)
  await isWaiting
  const { watches } = app.sockets.presence
  const refresh = watches.refresh.bind(watches)
  Object.assign(watches, {
    refresh() {
      Object.assign(watches, { refresh })
      throw fault
    },
  })
  const { writer } = app.database
  const note = (receiver_username: string, content: string) =>
    writer.append('send', { sender_id: alice.id, receiver_username, content })
  await Promise.all([
    // The second change of the batch is the first that the hub fails on: the new conversation.
    note('bob', 'one'),
    note('bob', 'two'),
    note('carol', 'three'),
  ])
  await socket.wait('message', ({ content }) => content === 'two')
  await mine.wait('message', ({ content }) => content === 'three')
  const got = (frames: readonly { type: string }[]) =>
    frames.flatMap((frame) =>
      'content' in frame ? [frame.content] : frame.type === 'conversation' ? ['conversation'] : [],
    )
  t.strictSame(got(socket.frames), ['conversation', 'one', 'two'])
  t.strictSame(got(mine.frames), ['conversation', 'one', 'two', 'conversation', 'three'])
  t.match((await waiting).body.events, [{ type: 'conversation' }, { type: 'message', content: 'three' }])
  t.match(logged, [{ err: fault }], 'the fault is logged once')

  await alice.send('bob', 'and live again')
  await socket.wait('message', ({ content }) => content === 'and live again')
})

t.test('a socket whose delivery fails is closed, and other sockets receive the event', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const group = await alice.createGroup('g', ['bob'])
  const [socket, other] = [await alice.connect(), await bob.connect()]
  const [connection] = app.sockets.hub.connectionsOf(alice.id)
  Object.assign(connection as object, {
    deliver() {
      throw fault
    },
  })
  const cursor = await headOf(alice)
  await bob.send(group.id, 'hello')
  await other.wait('message', ({ content }) => content === 'hello')
  t.equal((await socket.closed).code, 1011)
  const again = await alice.connect({ cursor })
  await again.wait('message', ({ content }) => content === 'hello')
})

t.test('an error of one commit listener is logged and does not stop the delivery', async (t) => {
  const { app, login } = await startServer(t)
  const logged: unknown[] = []
  Object.assign(app.log, { error: (details: unknown) => logged.push(details) })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const socket = await bob.connect()
  let isFirst = true
  app.database.writer.on('commit', () => {
    if (!isFirst) return
    isFirst = false
    throw fault
  })
  t.equal((await alice.send('bob', 'hello')).status, 'sent')
  await socket.wait('message', ({ content }) => content === 'hello')
  t.match(logged, [{ err: fault }])
})
