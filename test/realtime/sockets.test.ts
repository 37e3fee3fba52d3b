import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'

const server = await startServer(t)
const { url, login } = server
const ws = `${url.replace('http', 'ws')}/ws`

t.test('hello contains the user, the cursor and the limits', async (t) => {
  const alice = await login('alice')
  await alice.send('alice', 'before')
  const { frames, socket } = await alice.connect()
  t.equal(socket.protocol, 'messenger.v1')
  t.match(frames, [
    {
      type: 'hello',
      user: { id: alice.id, username: 'alice' },
      cursor: /^\S+$/,
      heartbeat_ms: 30_000,
      limits: {
        max_message_length: 4096,
        max_frame_bytes: Number,
        max_metadata_bytes: 1024,
        frames_per_second: 200,
        sends_per_minute: 6000,
      },
    },
  ])
})

t.test('a send is acknowledged to its socket and delivered to all other devices of both', async (t) => {
  const [ann, ben] = [await login('ann'), await login('ben')]
  const [sender, mine, his] = [await ann.connect(), await ann.connect(), await ben.connect()]
  const body = { receiver_username: 'BEN', content: 'hello', client_id: 'k', metadata: { color: 'red' } }
  const ack = await sender.request({ type: 'send', ...body })
  t.match(ack, {
    type: 'ack',
    cursor: String,
    message: { ...body, receiver_username: undefined, receiver: 'ben' },
  })
  if (ack.type !== 'ack') return
  const { message, cursor } = ack
  t.strictSame(await mine.wait('message'), { type: 'message', cursor, ...message })
  const { client_id: _, ...seen } = message ?? {}
  t.strictSame(await his.wait('message'), { type: 'message', cursor, ...seen })
  await sender.settle()
  t.notOk(
    sender.frames.some(({ type }) => type === 'message'),
    'the sending socket gets the ack',
  )

  t.match(
    await his.request({ conversation_id: message?.conversation_id, content: 'back', reply_to: message?.id }),
    {
      type: 'ack',
      message: { content: 'back', reply_to: message?.id, sender: 'ben', receiver: 'ann' },
    },
  )
  t.match(await ann.history('ben'), [{ content: 'hello' }, { content: 'back' }], 'one conversation')
})

t.test('frames are answered in the order of sending', async (t) => {
  const cat = await login('cat')
  const socket = await cat.connect()
  for (let n = 0; n < 60; n++) socket.send({ id: `s${n}`, receiver_username: 'cat', content: `${n}` })
  await socket.wait('ack', ({ id }) => id === 's59')
  const acks = socket.frames.filter((frame) => frame.type === 'ack')
  t.strictSame(
    acks.map(({ id }) => id),
    Array.from({ length: 60 }, (_, n) => `s${n}`),
  )
  const ids = acks.map(({ message }) => message?.id ?? 0)
  t.strictSame(
    ids,
    ids.toSorted((a, b) => a - b),
  )
})

t.test('a ping gets a pong', async (t) => {
  const socket = await (await login('dan')).connect()
  socket.send({ type: 'ping', id: 'p1' })
  t.strictSame(await socket.wait('pong', ({ id }) => id === 'p1'), { type: 'pong', id: 'p1' })
  socket.send({ type: 'ping' })
  t.strictSame(await socket.wait('pong', ({ id }) => id === undefined), { type: 'pong' })
  socket.socket.ping()
  await once(socket.socket, 'pong')
})

t.test('a browser sends its token as a subprotocol, which is never echoed', async (t) => {
  const eve = await login('eve')
  for (const offered of [
    ['messenger.v1', `bearer.${eve.token}`],
    [`bearer.${eve.token}`, 'messenger.v1'],
    ['other', 'messenger.v1', `bearer.${eve.token}`],
  ]) {
    const socket = new WebSocket(ws, offered)
    t.teardown(() => socket.terminate())
    const [data] = await once(socket, 'message')
    t.equal(socket.protocol, 'messenger.v1')
    t.match(JSON.parse(String(data)), { type: 'hello', user: { username: 'eve' } })
  }
  for (const protocols of [[`bearer.${eve.token}`], ['chat'], ['messenger.v2', `bearer.${eve.token}`]]) {
    const refused = await refusedHandshake(ws, { authorization: `Bearer ${eve.token}` }, protocols)
    t.match(
      refused,
      { status: 400, body: { code: 'VALIDATION_FAILED' } },
      'the client offers messenger.v1 or nothing',
    )
  }
  t.match(await refusedHandshake(ws, {}, ['messenger.v1', 'bearer.x']), { status: 401 })
  t.match(await refusedHandshake(ws, {}, ['messenger.v1']), { status: 401 })
  t.match(await refusedHandshake(`${ws}?cursor=x`, { authorization: `Bearer ${eve.token}` }), {
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: '/cursor' }] },
  })
})

t.test('pages of listed origins can connect', async (t) => {
  const listed = await startServer(t, { CORS_ORIGINS: 'https://app.example, https://other.example:8443' })
  const fay = await listed.login('fay')
  const { host } = new URL(listed.url)
  const headers = { authorization: `Bearer ${fay.token}` }
  for (const origin of [
    'https://app.example',
    'https://other.example:8443',
    `http://${host}`,
    `https://${host}`,
  ]) {
    await (await fay.connect({ headers: { origin } })).close()
    await (await fay.connect({ plain: true, headers: { origin } })).close()
  }
  for (const origin of [
    'https://evil.example',
    'http://app.example',
    'https://app.example.evil',
    'https://app.example:8443',
    'http://127.0.0.1:1',
    'null',
    '',
    'nonsense',
  ]) {
    t.match(
      await refusedHandshake(`${listed.url}/ws`, { ...headers, origin }),
      { status: 403, body: { code: 'ORIGIN_NOT_ALLOWED' } },
      origin,
    )
  }
  const allowed = await listed.call('GET', '/health/live', { headers: { origin: 'https://app.example' } })
  t.equal(allowed.headers.get('access-control-allow-origin'), 'https://app.example', 'HTTP shares the list')
  const other = await listed.call('GET', '/health/live', { headers: { origin: 'https://evil.example' } })
  t.notMatch(other.headers.get('access-control-allow-origin') ?? '', 'evil')
})

t.test('a binary frame closes with 1003', async (t) => {
  const gus = await login('gus')
  for (const plain of [true, false]) {
    const socket = await gus.connect({ plain })
    socket.socket.send(Buffer.from('{"type":"ping"}'), { binary: true })
    t.match(await socket.closed, { code: 1003, reason: 'unsupported data' })
  }
})

t.test('text that is not UTF-8 closes with 1007', async (t) => {
  const socket = await (await login('gus')).connect()
  socket.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
  t.match(await socket.closed, { code: 1007 })
})

t.test('a frame above the size limit closes with 1009, and a frame at the limit is accepted', async (t) => {
  const gus = await login('gus')
  const socket = await gus.connect()
  const { limits } = await socket.wait('hello')
  const escaped = Array.from({ length: 4096 }, () => '\\ud83d\\ude00').join('')
  socket.send(`{"receiver_username":"gus","content":"${escaped}"}`)
  t.equal([...((await socket.wait('ack')).message?.content ?? '')].length, 4096, 'every character escaped')
  socket.send(`"${'x'.repeat(limits.max_frame_bytes - 2)}"`)
  t.match(await socket.wait('error'), { problem: { code: 'VALIDATION_FAILED' } })
  socket.send('x'.repeat(limits.max_frame_bytes + 1))
  t.match(await socket.closed, { code: 1009 })
})

t.test('ten bad frames within a minute close with 4400', async (t) => {
  const hal = await login('hal')
  for (const plain of [true, false]) {
    const socket = await hal.connect({ plain })
    for (let n = 0; n < 9; n++) socket.send('bad')
    socket.send({ receiver_username: 'nobody', content: 'x' })
    socket.send({ receiver_username: 'hal', content: 'still here', id: 'x' })
    t.match(await socket.wait('ack'), { message: { content: 'still here' } }, 'a valid frame is not counted')
    socket.send('bad')
    t.match(await socket.closed, { code: 4400, reason: 'too many bad frames' })
    t.equal(socket.frames.filter(({ type }) => type === 'error').length, 11, 'each bad frame got an error')
  }
})

t.test('a silent peer is closed with 4408 after two heartbeats, and a responding peer is not', async (t) => {
  const { login } = await startServer(t, { HEARTBEAT_MS: '400' })
  const ida = await login('ida')
  const [silent, alive] = [await ida.connect(), await ida.connect()]
  // A paused socket answers no ping.
  silent.socket.pause()
  for (let n = 0; n < 4; n++) await once(alive.socket, 'ping')
  silent.socket.resume()
  t.equal((await silent.closed).code, 4408)
  t.equal((await alive.settle()).type, 'pong')
})

t.test('a socket above the limit of its user is closed with 4409', async (t) => {
  const { login } = await startServer(t, { MAX_SOCKETS_PER_USER: '2' })
  const jan = await login('jan')
  const first = await jan.connect()
  await jan.connect({ plain: true })
  const more = await jan.connect({ plain: true })
  t.match(await more.closed, { code: 4409, reason: 'too many sockets' })
  await (await login('kim')).connect()
  await first.close()
  t.equal((await (await jan.connect()).settle()).type, 'pong', 'a closed socket makes room')
})

t.test('a reader that reads nothing is closed with 4410 and delays no other socket', async (t) => {
  const { login, app } = await startServer(t, {
    SOCKET_HARD_LIMIT: '65536',
    RATE_LIMIT_SEND: '0',
    MAX_MESSAGE_LENGTH: '65536',
  })
  const [kim, lea] = [await login('kim'), await login('lea')]
  const slow = await kim.connect()
  const plain = await kim.connect({ plain: true })
  const quick = await kim.connect()
  slow.socket.pause()
  plain.socket.pause()
  const content = 'x'.repeat(65_536)
  const sent: number[] = []
  while (app.sockets.hub.connectionsOf(kim.id).size > 1) sent.push((await lea.send('kim', content)).id)
  await quick.wait('message', ({ id }) => id === sent.at(-1))
  t.strictSame(
    quick.frames.filter((frame) => frame.type === 'message').map(({ id }) => id),
    sent,
  )
  slow.socket.resume()
  plain.socket.resume()
  // The close frame can be lost with the connection. The end of the connection cannot.
  await slow.closed
  await plain.closed
  t.equal(app.sockets.counts.closed.get(4410), 2)
})

t.test('a socket above its frame budget is read more slowly and loses no frame', async (t) => {
  const { login } = await startServer(t, { SOCKET_FRAMES_PER_SECOND: '20' })
  const lou = await login('lou')
  const [flood, calm] = [await lou.connect(), await lou.connect()]
  for (let n = 0; n < 80; n++) flood.send({ receiver_username: 'lou', content: `${n}` })
  await calm.wait('message', ({ content }) => content === '40')
  flood.send({ type: 'ping', id: 'late' })
  await calm.settle()
  t.notOk(
    flood.frames.some(({ type }) => type === 'pong'),
    'other sockets are answered before it is read again',
  )
  await flood.wait('pong', ({ id }) => id === 'late')
  const got = await lou.history('lou', '?limit=1000')
  t.strictSame(
    got.map(({ content }) => content),
    Array.from({ length: 80 }, (_, n) => `${n}`),
  )
})

t.test('a socket that keeps sending too fast is closed with 4429', async (t) => {
  const { login } = await startServer(t, { SOCKET_FRAMES_PER_SECOND: '20', SOCKET_FLOOD_MS: '1' })
  const socket = await (await login('max')).connect()
  for (let n = 0; n < 60; n++) socket.send({ type: 'ping' })
  const flood = setInterval(() => socket.send({ type: 'ping' }), 10)
  t.match(await socket.closed, { code: 4429, reason: 'too fast' })
  clearInterval(flood)
})

t.test('a socket that cannot be registered is closed with 1011', async (t) => {
  const { app, login } = await startServer(t)
  app.sockets.accept = () => {
    throw new Error('a fault of the server')
  }
  const socket = await (await login('ned')).connect({ plain: true })
  t.match(await socket.closed, { code: 1011 })
})

t.test('a client that drops its handshake leaves no socket behind', async (t) => {
  const { app, login } = server
  const mia = await login('mia')
  const socket = await mia.connect()
  socket.socket.terminate()
  await socket.closed
  const other = await mia.connect()
  while (app.sockets.hub.connectionsOf(mia.id).size > 1) await other.settle()
  t.equal(app.sockets.hub.connectionsOf(mia.id).size, 1)
})

t.test('the length of a frame id is counted in characters', async (t) => {
  const { login } = await startServer(t)
  const mia = await login('mia')
  const socket = await mia.connect()
  for (const id of ['\u{1f600}'.repeat(64), 'x'.repeat(64)]) {
    socket.send({ type: 'ping', id })
    t.ok(await socket.wait('pong', (frame) => frame.id === id))
    socket.send({ type: 'edit', id })
    t.ok(await socket.wait('error', (frame) => frame.id === id), 'errors echo the id too')
  }
  for (const id of ['\u{1f600}'.repeat(65), 'x'.repeat(129)]) {
    const from = socket.frames.length
    socket.send({ type: 'ping', id })
    t.notOk('id' in (await socket.wait('error', () => true, from)))
  }
})
