import t from 'tap'
import { handshake, rawFrame, rawSocket } from '../support/frames.ts'
import { dial, dialServer, sendRaw } from '../support/raw.ts'
import { startProcess } from '../support/process.ts'
import { login, startServer, temporaryFolder } from '../support/server.ts'
import { nextTurn } from '../support/turns.ts'

const MiB = 1024n * 1024n

t.test('a frame that violates the protocol closes its socket with the matching close code', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const other = await alice.connect()
  for (const [what, code, frame] of [
    ['not masked', 1002, rawFrame('{}', { isMasked: false })],
    ['a reserved bit', 1002, rawFrame('{}', { rsv: 4 })],
    ['another reserved bit', 1002, rawFrame('{}', { rsv: 1 })],
    ['a reserved opcode', 1002, rawFrame('{}', { opcode: 3 })],
    ['a reserved control opcode', 1002, rawFrame('', { opcode: 11 })],
    ['a fragmented ping', 1002, rawFrame('', { opcode: 9, fin: false })],
    ['a ping of 126 bytes', 1002, rawFrame('a'.repeat(126), { opcode: 9 })],
    ['a continuation without a message', 1002, rawFrame('{}', { opcode: 0 })],
    [
      'a message inside a message',
      1002,
      Buffer.concat([rawFrame('{', { fin: false }), rawFrame('{}', { fin: false })]),
    ],
    ['a close frame of one byte', 1002, rawFrame('x', { opcode: 8 })],
    ['a close frame with a reserved code', 1002, rawFrame(Buffer.from([3, 237]), { opcode: 8 })],
    ['invalid UTF-8', 1007, rawFrame(Buffer.from([0x22, 0xff, 0x22]))],
    [
      'invalid UTF-8, split between fragments',
      1007,
      Buffer.concat([
        rawFrame(Buffer.from([0xe2, 0x82]), { fin: false }),
        rawFrame(Buffer.from([0x28]), { opcode: 0 }),
      ]),
    ],
    ['too long by its header', 1009, rawFrame('', { length: MiB })],
    ['2^63 bytes, from its header alone', 1009, rawFrame('', { length: 2n ** 63n })],
    [
      'too long in fragments',
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
  t.match(await other.request({ type: 'ping' }), { type: 'pong' }, 'other sockets stay open')
  t.equal(app.sockets.hub.size, 1, 'no other socket remains')
})

t.test('a message in 20,000 empty fragments closes with 1008 and uses no memory', async (t) => {
  const { url, memory } = await startProcess(t, await temporaryFolder(t))
  const alice = await login(t, url, 'alice')
  const other = await alice.connect()
  const parts = Buffer.concat([
    rawFrame('', { fin: false }),
    ...Array.from({ length: 20_000 }, () => rawFrame('', { fin: false, opcode: 0 })),
  ])
  const before = await memory()
  for (let round = 0; round < 100; round += 1) {
    const socket = await rawSocket(t, url, alice.token)
    socket.write(parts)
    const { payload } = await socket.until(({ opcode }) => opcode === 8)
    t.equal(payload.readUInt16BE(0), 1008)
  }
  const grown = ((await memory()) - before) / 1e6
  t.ok(grown < 60, `${grown.toFixed(0)} MB more after 2,000,000 fragments`)
  t.match(await other.request({ type: 'ping' }), { type: 'pong' }, 'other sockets stay open')
})

t.test('each of a hundred concurrent pings gets a pong', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const socket = await rawSocket(t, url, alice.token)
  socket.write(Buffer.concat(Array.from({ length: 100 }, (_, n) => rawFrame(`${n}`, { opcode: 9 }))))
  await socket.until(({ opcode, payload }) => opcode === 10 && payload.toString() === '99')
  socket.socket.end(rawFrame('', { opcode: 8 }))
  const pongs = (await socket.frames()).filter(({ opcode }) => opcode === 10)
  t.strictSame(
    pongs.map(({ payload }) => payload.toString()),
    Array.from({ length: 100 }, (_, n) => `${n}`),
  )
})

t.test('a client that sends pings and never reads is held back by TCP and uses no memory', async (t) => {
  const { url, memory } = await startProcess(t, await temporaryFolder(t))
  const alice = await login(t, url, 'alice')
  const other = await alice.connect()
  const socket = await rawSocket(t, url, alice.token)
  socket.socket.pause()
  const before = await memory()
  const pings = Buffer.concat(Array.from({ length: 1000 }, () => rawFrame('a'.repeat(125), { opcode: 9 })))
  for (let round = 0; round < 500; round += 1) socket.write(pings)
  /** @returns the MB that TCP has not accepted after the server had `turns` round trips to read them. */
  const heldBack = async (turns: number) => {
    for (let turn = 0; turn < turns; turn += 1)
      t.match(await other.request({ type: 'ping' }), { type: 'pong' })
    return socket.socket.writableLength / 1e6
  }
  // The kernel buffers fill first.
  const held = await heldBack(50)
  const read = held - (await heldBack(300))
  t.ok(
    held > 40 && read < 1,
    `of 65 MB ${held.toFixed(1)} are held back, and ${read.toFixed(1)} of them are read later`,
  )
  const grown = ((await memory()) - before) / 1e6
  t.ok(grown < 30, `${grown.toFixed(0)} MB more memory`)
})

t.test('a flooding socket is read more slowly, and closed with 4429 if the flood continues', async (t) => {
  const { app, login } = await startServer(t, { SOCKET_FRAMES_PER_SECOND: '20', SOCKET_FLOOD_MS: '1000' })
  const alice = await login('alice')
  const socket = await alice.connect()
  // Long frames, so that one read holds few of them.
  const content = 'a'.repeat(4000)
  const started = performance.now()
  for (let n = 0; n < 3000; n += 1) socket.send({ receiver_username: 'alice', content })
  const { code } = await socket.closed
  t.equal(code, 4429)
  const seconds = (performance.now() - started) / 1000
  t.ok(seconds > 0.9, 'it was not closed early')
  const { frames } = app.sockets.counts
  const budget = 40 + 20 * seconds
  t.ok(frames < budget + 40, `${frames} of 3000 frames were handled with a budget of ${budget.toFixed(0)}`)
})

t.test('ten invalid frames within a minute close the socket', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  for (let index = 0; index < 9; index += 1) socket.send(`{"type":"nonsense","id":"${index}"}`)
  await socket.wait('error', ({ id }) => id === '8')
  t.match(await socket.request({ type: 'ping' }), { type: 'pong' })
  socket.send('{')
  t.equal((await socket.closed).code, 4400)
  t.equal(socket.frames.filter(({ type }) => type === 'error').length, 10, 'each gets an error')
})

t.test('a connection reset during the token lookup leaves no socket behind', async (t) => {
  const { app, login } = await startServer(t)
  const alice = await login('alice')
  const { verify } = app.tokens
  for (const query of ['', '?cursor=x.1']) {
    const connection = await dialServer(t, app.server)
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    app.tokens.verify = async (token) => {
      reached.resolve()
      await gate.promise
      return verify(token)
    }
    connection.write(handshake(alice.token, query))
    await reached.promise
    connection.socket.resetAndDestroy()
    await connection.tcpClosed
    app.tokens.verify = verify
    gate.resolve()
    const socket = await alice.connect()
    t.match(await socket.request({ type: 'ping' }), { type: 'pong' }, 'the next connection is served')
    t.equal(app.sockets.hub.size, 1, 'it is the only socket')
    await socket.close()
    while (app.sockets.hub.size > 0) await nextTurn()
  }
})

t.test('connections reset at any step of the handshake leave no socket behind', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  for (let round = 0; round < 50; round += 1) {
    const connection = await dial(t, url)
    connection.write(handshake(alice.token, `?cursor=x.${round}`))
    for (let turn = 0; turn < round % 5; turn += 1) await nextTurn()
    connection.socket.resetAndDestroy()
    await connection.closed
  }
  const socket = await alice.connect()
  t.match(await socket.request({ type: 'ping' }), { type: 'pong' })
  await socket.close()
  while (app.sockets.hub.size > 0) await nextTurn()
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

t.test('a handshake refused before routing gets a response, and its connection is closed', async (t) => {
  const { url } = await startServer(t)
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  for (const request of [
    `GET /ws HTTP/1.1\r\n${upgrade}`,
    `GET /history/%zz HTTP/1.1\r\nHost: x\r\n${upgrade}`,
    `GET /nowhere HTTP/1.1\r\nHost: x\r\n${upgrade}`,
  ]) {
    const [reply, ...more] = await sendRaw(t, url, request)
    t.ok(reply && [400, 404].includes(reply.status), request)
    t.strictSame(more, [])
  }
})

t.test('an upgrade request that is not a handshake gets an ordinary response and is counted', async (t) => {
  const { app, url, login } = await startServer(t)
  const { token } = await login('alice')
  const connections = () =>
    new Promise<number>((resolve) => app.server.getConnections((_error, count) => resolve(count)))
  const before = await connections()
  const upgrade =
    `Host: x\r\nAuthorization: Bearer ${token}\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const body = '{"username":"bob"}'
  const json = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  for (const [request, status, code] of [
    [`HEAD /ws HTTP/1.1\r\n${upgrade}\r\n`, 426],
    [`HEAD /health/live HTTP/1.1\r\n${upgrade}\r\n`, 200],
    [`HEAD /nowhere HTTP/1.1\r\n${upgrade}\r\n`, 404],
    [`POST /ws HTTP/1.1\r\n${upgrade}\r\n`, 405, 'METHOD_NOT_ALLOWED'],
    [`OPTIONS /ws HTTP/1.1\r\n${upgrade}\r\n`, 405, 'METHOD_NOT_ALLOWED'],
    [`GET /ws HTTP/1.0\r\n${upgrade}\r\n`, 426, 'UPGRADE_REQUIRED'],
    [`GET /ws HTTP/1.1\r\n${upgrade}${json}`, 426, 'UPGRADE_REQUIRED'],
    [
      `GET /ws HTTP/1.1\r\n${upgrade}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      426,
      'UPGRADE_REQUIRED',
    ],
    [`POST /login HTTP/1.1\r\n${upgrade}${json}`, 200],
    ['CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ] as const) {
    const what = request.slice(0, 30)
    const found = await sendRaw(t, url, request)
    t.equal(found.length, 1, what)
    t.equal(found[0]?.status, status, what)
    if (code) t.equal(found[0]?.body.code, code, what)
  }
  const { counts } = app.problems
  t.match(Object.fromEntries(counts), { UPGRADE_REQUIRED: 4, METHOD_NOT_ALLOWED: 3, ROUTE_NOT_FOUND: 1 })
  t.equal(await connections(), before, 'no connection remains for the stop to wait for')
})
