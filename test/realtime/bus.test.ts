import t from 'tap'
import { createBus } from '../../src/bus/create-bus.ts'
import { busContract } from '../contract/bus.ts'
import { startServer } from '../support/server.ts'

t.test('the in-process bus follows the bus contract', async (t) =>
  busContract(t, async (_, processes, onError) => {
    t.ok(processes > 0)
    return [createBus(undefined, onError)]
  }),
)

t.test('a batch lost on the bus is read from the database and delivered in order', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [socket, plain, sender] = [
    await bob.connect(),
    await bob.connect({ plain: true }),
    await alice.connect(),
  ]
  const { bus } = app.chat
  const { publish } = bus
  await alice.send('bob', 'one')
  await socket.wait('message', ({ content }) => content === 'one')
  bus.publish = () => {}
  await alice.send('bob', 'lost')
  await alice.send('bob', 'lost too')
  bus.publish = publish
  t.match(await sender.request({ receiver_username: 'bob', content: 'two' }), {
    type: 'ack',
    message: { content: 'two' },
  })
  for (const reader of [socket, plain]) {
    await reader.wait('message', ({ content }) => content === 'two')
    const contents = reader.frames.flatMap((frame) => (frame.type === 'message' ? [frame.content] : []))
    t.strictSame(contents, ['one', 'lost', 'lost too', 'two'])
  }
  const cursors = socket.frames.flatMap((frame) =>
    'cursor' in frame && frame.type === 'message' ? [frame.cursor] : [],
  )
  t.equal(new Set(cursors).size, 4)
})

t.test('a frame gets one reply over a bus that copies batches or delays them', async (t) => {
  const { app, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [socket, other] = [await alice.connect(), await alice.connect()]
  const { bus } = app.chat
  const { publish } = bus
  const { id } = await bob.send('alice', 'hello')
  const { conversation_id } = await socket.wait('message')

  bus.publish = (batch) => publish(JSON.parse(JSON.stringify(batch)))
  const sent = await socket.request({ receiver_username: 'bob', content: 'one' })
  t.match(sent, { type: 'ack', cursor: /./, message: { content: 'one' } })
  t.match(await socket.request({ type: 'receipt', conversation_id, read_up_to: id }), {
    type: 'ack',
    cursor: /./,
  })

  bus.publish = (batch) => {
    const text = JSON.stringify(batch)
    setImmediate(() => publish(JSON.parse(text)))
  }
  const late = await socket.request({ receiver_username: 'bob', content: 'two' })
  t.match(late, { type: 'ack', cursor: undefined, message: { content: 'two' } })
  t.match(await socket.wait('message', ({ content }) => content === 'two'), { cursor: /./ }, 'in order')
  await socket.request({ type: 'edit', message_id: id + 1, content: 'changed' })
  await socket.wait('message_updated')
  await socket.request({ type: 'receipt', conversation_id, read_up_to: id + 1 })
  await socket.wait('receipt')

  t.strictSame(
    other.frames.flatMap((frame) => (frame.type === 'message' ? [frame.content] : [])),
    ['hello', 'one', 'two'],
  )
  const answers = socket.frames.flatMap((frame) => (frame.type === 'ack' ? [frame.id] : []))
  t.equal(answers.length, 5)
  t.equal(new Set(answers).size, 5)
})
