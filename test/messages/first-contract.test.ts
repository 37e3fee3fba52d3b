import t from 'tap'
import type { Message } from '../../schemas/message.ts'
import { WebSocket } from 'ws'
import { once } from 'node:events'
import { startServer } from '../support/server.ts'

const { url, call, login } = await startServer(t)

t.test('a client that knows only the first contract can log in, send and receive', async (t) => {
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
    'every open socket of the receiver gets the message',
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

t.test('the three request bodies of the first contract are sufficient', async (t) => {
  const post = async (path: string, body: object, token?: string) => {
    const headers = {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    return (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).json()
  }
  const { token } = (await post('/login', { username: 'cleo' })) as { token: string }
  await post('/login', { username: 'dino' })
  t.match(await post('/send', { receiver_username: 'dino', content: 'hello' }, token), {
    status: 'sent',
    id: Number,
  })
  const history = await fetch(`${url}/history/dino`, { headers: { authorization: `Bearer ${token}` } })
  t.match(await history.json(), [{ content: 'hello', sender: 'cleo', receiver: 'dino' }])
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${token}` },
  })
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  t.equal(socket.protocol, '')
})

t.test('a plain socket receives direct messages to its user and nothing else', async (t) => {
  const eve = await login('eve')
  const fay = await login('fay')
  const [plain, other] = [await eve.connect({ plain: true }), await eve.connect({ plain: true })]
  const socket = await fay.connect()
  await eve.send('fay', 'mine: not for my other plain sockets')
  const { id, conversation_id } = await fay.send('eve', 'first')
  await fay.call('PATCH', `/messages/${id}`, { content: 'changed' })
  await fay.call('DELETE', `/messages/${id}`)
  await fay.call('PUT', `/conversations/${conversation_id}/receipt`, { read_up_to: id })
  await socket.request({ type: 'receipt', conversation_id, read_up_to: id })
  socket.send({ type: 'typing', conversation_id })
  await fay.call('POST', '/groups', { title: 'All', members: ['eve'] })
  await socket.settle()
  plain.send({ receiver_username: 'fay', content: 'without an answer' })
  await socket.wait('message', ({ content }) => content === 'without an answer')
  await fay.send('eve', 'last')
  for (const { frames, next } of [plain, other]) {
    t.match(await next(), { type: 'message', content: 'first' })
    t.match(await next(), { type: 'message', content: 'last' })
    for (const frame of frames) t.notOk('cursor' in frame)
  }
})

t.test('messages to oneself reach plain sockets, including the sending one', async (t) => {
  const gus = await login('gus')
  const [here, there] = [await gus.connect({ plain: true }), await gus.connect({ plain: true })]
  here.send({ receiver_username: 'gus', content: 'remember' })
  t.match(await here.next(), { type: 'message', content: 'remember', sender: 'gus', receiver: 'gus' })
  t.match(await there.next(), { type: 'message', content: 'remember' })
})

t.test('a plain socket receives an ack when the frame had a key or an id', async (t) => {
  const hal = await login('hal')
  const ida = await login('ida')
  const plain = await hal.connect({ plain: true })
  plain.send({ receiver_username: 'ida', content: 'one' })
  plain.send({ receiver_username: 'ida', content: 'two', client_id: 'k2' })
  plain.send({ receiver_username: 'ida', content: 'three', id: 'f3' })
  plain.send({ receiver_username: 'ida', content: 'two', client_id: 'k2', id: 'f4' })
  plain.send({ receiver_username: 'nobody', content: 'x', id: 'f5' })
  t.match(await plain.next(), { type: 'ack', message: { content: 'two', client_id: 'k2' } })
  t.match(await plain.next(), { type: 'ack', id: 'f3', message: { content: 'three' } })
  t.match(await plain.next(), { type: 'ack', id: 'f4', duplicate: true, message: { content: 'two' } })
  t.match(await plain.next(), { type: 'error', id: 'f5', problem: { code: 'USER_NOT_FOUND' } })
  for (const frame of plain.frames) t.notOk('cursor' in frame, 'the frame has no cursor')
  t.strictSame(
    (await ida.history('hal')).map(({ content }) => content),
    ['one', 'two', 'three'],
  )
})

t.test('message ids rise in the order of sending, for every reader', async (t) => {
  const [jan, kim] = [await login('jan'), await login('kim')]
  const sockets = [await kim.connect(), await kim.connect({ plain: true })]
  const [one, two] = [await jan.connect({ plain: true }), await jan.connect()]
  for (let n = 0; n < 100; n++) {
    one.send({ receiver_username: 'kim', content: `a${n}` })
    two.send({ receiver_username: 'kim', content: `b${n}` })
  }
  const history = async () =>
    (await call<Message[]>('GET', '/history/jan?limit=1000', { token: kim.token })).body
  for (const socket of sockets) {
    const got: Message[] = []
    while (got.length < 200) {
      const frame = await socket.next()
      if (frame.type === 'message') got.push(frame)
    }
    const ids = got.map(({ id }) => id)
    t.strictSame(
      ids,
      ids.toSorted((a, b) => a - b),
    )
    t.strictSame(
      ids,
      (await history()).map(({ id }) => id),
    )
    for (const side of ['a', 'b']) {
      const mine = got.filter(({ content }) => content.startsWith(side)).map(({ content }) => content)
      t.strictSame(
        mine,
        Array.from({ length: 100 }, (_, n) => `${side}${n}`),
      )
    }
  }
})
