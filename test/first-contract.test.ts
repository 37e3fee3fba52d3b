import t from 'tap'
import { startServer } from './support/server.ts'

t.test('a client that knows only the first contract needs nothing else', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('alice')
  const bob = await login('bob')
  const phone = await bob.connect({ plain: true })
  const laptop = await bob.connect({ plain: true })

  const sent = await alice.send('bob', 'hello')
  t.match(sent, { status: 'sent', sender: 'alice', receiver: 'bob', content: 'hello' })
  const { status: _, ...message } = sent
  t.strictSame(
    await phone.next(),
    { type: 'message', ...message },
    'every open socket of the receiver has it',
  )
  t.strictSame(await laptop.next(), { type: 'message', ...message })

  const socket = await alice.connect()
  phone.send({ receiver_username: 'alice', content: 'hi' })
  await socket.wait('message', ({ content }) => content === 'hi')
  t.match(await alice.history('bob'), [{ content: 'hello' }, { content: 'hi', sender: 'bob' }])
  phone.send({ receiver_username: 'nobody-here', content: 'hi' })
  t.match(await phone.next(), {
    type: 'error',
    retryable: false,
    problem: { code: 'USER_NOT_FOUND', status: 404 },
  })
  await socket.close()
})
