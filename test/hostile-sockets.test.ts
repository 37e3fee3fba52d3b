import t from 'tap'
import { rawFrame, rawSocket } from './support/frames.ts'
import { dial } from './support/raw.ts'
import { startServer } from './support/server.ts'

const MiB = 1024n * 1024n

t.test('a frame that breaks the protocol closes its socket with the code that says so', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const other = await alice.connect()
  for (const [what, code, frame] of [
    ['not masked', 1002, rawFrame('{}', { isMasked: false })],
    ['a reserved bit', 1002, rawFrame('{}', { rsv: 4 })],
    ['another reserved bit', 1002, rawFrame('{}', { rsv: 1 })],
    ['a reserved opcode', 1002, rawFrame('{}', { opcode: 3 })],
    ['a reserved control opcode', 1002, rawFrame('', { opcode: 11 })],
    ['a ping in parts', 1002, rawFrame('', { opcode: 9, fin: false })],
    ['a ping of 126 bytes', 1002, rawFrame('a'.repeat(126), { opcode: 9 })],
    ['a continuation of nothing', 1002, rawFrame('{}', { opcode: 0 })],
    [
      'a message within a message',
      1002,
      Buffer.concat([rawFrame('{', { fin: false }), rawFrame('{}', { fin: false })]),
    ],
    ['a close of one byte', 1002, rawFrame('x', { opcode: 8 })],
    ['a close with a code that nobody may send', 1002, rawFrame(Buffer.from([3, 237]), { opcode: 8 })],
    ['no UTF-8', 1007, rawFrame(Buffer.from([0x22, 0xff, 0x22]))],
    [
      'no UTF-8, cut between parts',
      1007,
      Buffer.concat([
        rawFrame(Buffer.from([0xe2, 0x82]), { fin: false }),
        rawFrame(Buffer.from([0x28]), { opcode: 0 }),
      ]),
    ],
    ['too long, from its header alone', 1009, rawFrame('', { length: MiB })],
    ['2^63 bytes, from its header alone', 1009, rawFrame('', { length: 2n ** 63n })],
    [
      'too long in parts',
      1009,
      Buffer.concat(
        Array.from({ length: 40 }, (_, index) =>
          rawFrame('a'.repeat(4000), { fin: false, opcode: index === 0 ? 1 : 0 }),
        ),
      ),
    ],
    ['binary', 1003, rawFrame('{}', { opcode: 2 })],
  ] as const) {
    const socket = await rawSocket(t, url, alice.token)
    socket.write(frame)
    t.equal(await socket.closeCode(), code, what)
  }
  t.match(await other.ask({ type: 'ping' }), { type: 'pong' }, 'others go on')
  t.equal(app.sockets.hub.size, 1, 'and nothing is left of those')
})

t.test('a message in 20,000 empty parts harms nobody', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const other = await alice.connect()
  const socket = await rawSocket(t, url, alice.token)
  socket.write(rawFrame('', { fin: false }))
  socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => rawFrame('', { fin: false, opcode: 0 }))))
  socket.write(rawFrame('{"type":"ping","id":"whole"}', { opcode: 0 }))
  const answer = await socket.until(({ opcode, payload }) => opcode === 8 || payload.includes('whole'))
  t.ok(answer, answer.opcode === 8 ? `closed with ${answer.payload.readUInt16BE(0)}` : 'answered')
  t.match(await other.ask({ type: 'ping' }), { type: 'pong' })
})

t.test('who sends pings and never reads is slowed down, and takes no memory', async (t) => {
  const { app, url, login } = await startServer(t, { SOCKET_HARD_LIMIT: '65536' })
  const alice = await login('alice')
  const other = await alice.connect()
  const socket = await rawSocket(t, url, alice.token)
  const [connection] = [...app.sockets.hub.all()].slice(-1)
  t.ok(connection)
  socket.socket.pause()
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => rawFrame('a'.repeat(125), { opcode: 9 })))
  let isTaken = true
  for (let round = 0; round < 300 && isTaken; round += 1) isTaken = socket.write(pings) || round < 50
  t.match(await other.ask({ type: 'ping' }), { type: 'pong' })
  t.notOk(isTaken, 'TCP holds the rest back')
})

t.test('a flood is held back by not reading, and closed with 4429 when it goes on', async (t) => {
  const { login } = await startServer(t, { SOCKET_FRAMES_PER_SECOND: '20', SOCKET_FLOOD_MS: '1000' })
  const alice = await login('alice')
  const socket = await alice.connect()
  const flood = setInterval(() => {
    for (let index = 0; index < 20; index += 1) socket.send('{"type":"ping"}')
  }, 100)
  t.teardown(() => clearInterval(flood))
  const started = performance.now()
  const { code } = await socket.closed
  t.equal(code, 4429)
  t.ok(performance.now() - started > 900, 'not before')
  const pongs = socket.frames.filter(({ type }) => type === 'pong').length
  t.ok(pongs < 500, `${pongs} were handled, at twice the rate at most`)
})

t.test('ten frames that are not valid within a minute are enough', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  for (let index = 0; index < 9; index += 1) socket.send(`{"type":"nonsense","id":"${index}"}`)
  await socket.wait('error', ({ id }) => id === '8')
  t.match(await socket.ask({ type: 'ping' }), { type: 'pong' })
  socket.send('{')
  t.equal((await socket.closed).code, 4400)
  t.equal(socket.frames.filter(({ type }) => type === 'error').length, 10, 'each is answered')
})

t.test('a connection that is reset during the handshake leaves nothing', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const { token } = await login('bob')
  for (let round = 0; round < 50; round += 1) {
    const connection = await dial(t, url)
    connection.write(
      `GET /ws?cursor=x.${round} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${round % 2 ? token : alice.token}\r\n` +
        'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: messenger.v1\r\n\r\n',
    )
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
    connection.socket.resetAndDestroy()
    await connection.closed
  }
  const socket = await alice.connect()
  t.match(await socket.ask({ type: 'ping' }), { type: 'pong' })
  await socket.close()
  while (app.sockets.hub.size > 0) await new Promise((resolve) => setImmediate(resolve))
  t.equal(app.sockets.hub.size, 0)
})

t.test('a frame in the same packet as the handshake is handled once', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const first = rawFrame('{"id":"first","receiver_username":"alice","content":"early"}')
  const second = rawFrame('{"id":"second","type":"ping"}')
  const socket = await rawSocket(t, url, alice.token, Buffer.concat([first, second]))
  await socket.until(({ payload }) => payload.includes('"second"'))
  await socket.until(({ payload }) => payload.includes('"first"'))
  t.equal((await alice.history('alice')).length, 1)
})
