import t, { type Test } from 'tap'
import { createRequestTurns } from '../../src/http/request-turns.ts'
import type { Waiting } from '../../src/load/turns.ts'
import { Turns } from '../../src/load/turns.ts'
import { handshake } from '../support/frames.ts'
import { countReplies, dial, dialServer, rawRequest, replies } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { holdTurns, nextTurn } from '../support/turns.ts'

/** Stops the clock until the test ends. `time` is the current time in milliseconds. */
const stopClock = (t: Test) => {
  const { now } = performance
  const clock = { time: now.call(performance) }
  t.teardown(() => {
    performance.now = now
  })
  performance.now = () => clock.time
  return clock
}

/** Spins until the current turn has no time left. */
const useUp = (turns: Turns) => {
  while (turns.hasTime);
}

const get = (path: string, token: string) => rawRequest('GET', path, token)
const post = (path: string, body: string, token = '') => rawRequest('POST', path, token, body)
const send = (content: string, token: string) =>
  post('/send', JSON.stringify({ receiver_username: 'alice', content }), token)

t.test('work runs at once while the turn has time, and later in order of arrival', async (t) => {
  const turns = new Turns()
  const clock = stopClock(t)
  const done: string[] = []
  await turns.ready('reader')
  t.ok(turns.hasTime)
  clock.time += 10
  const once = (name: string): Waiting => ({
    handleNext() {
      done.push(name)
      return false
    },
  })
  turns.add(1, once('one'))
  turns.add(2, once('two'))
  const many = { left: 40 }
  turns.add(3, {
    handleNext() {
      many.left -= 1
      done.push('many')
      return many.left > 0
    },
  })
  turns.add(4, once('three'))
  t.notOk(turns.hasTime)
  t.strictSame(done, [])
  await turns.ready('reader')
  t.strictSame(done.slice(0, 2), ['one', 'two'])
  t.equal(done.indexOf('three'), 34, 'one source gets no more than its share')
  while (many.left > 0) await nextTurn()
  await nextTurn()
  t.ok(turns.hasTime)
  const fresh = new Turns()
  await new Promise<void>((resolve) =>
    fresh.add(1, {
      handleNext() {
        resolve()
        return false
      },
    }),
  )
})

t.test('connections that arrive delay other work for at most half of the time', async (t) => {
  const turns = new Turns()
  const clock = stopClock(t)
  const done: string[] = []
  const add = (name: string) =>
    turns.add(name, {
      handleNext() {
        done.push(name)
        return false
      },
    })
  turns.accepted()
  t.ok(turns.hasTime, 'no work ran yet')
  turns.accepted()
  t.notOk(turns.hasTime)
  add('one')
  await nextTurn()
  t.strictSame(done, [])
  turns.accepted()
  await nextTurn()
  t.strictSame(done, [])
  clock.time += 11
  turns.accepted()
  await nextTurn()
  t.strictSame(done, ['one'])
  clock.time += 10
  add('two')
  turns.accepted()
  await nextTurn()
  t.strictSame(done, ['one'])
  await nextTurn()
  t.strictSame(done, ['one', 'two'])
})

t.test('work that continues in microtasks counts toward its turn', async (t) => {
  const turns = new Turns()
  const inTurn: number[] = []
  useUp(turns)
  let turn = 0
  const all = Array.from({ length: 100 }, async () => {
    await turns.ready('reader')
    await Promise.resolve()
    const end = performance.now() + 5
    while (performance.now() < end);
    inTurn[turn] = (inTurn[turn] ?? 0) + 1
  })
  const isDone = Promise.all(all).then(() => true)
  do turn += 1
  while (!(await Promise.race([isDone, nextTurn()])))
  t.ok(Math.max(...inTurn.filter(Boolean)) < 20, inTurn.join(' '))
})

t.test('health probes are answered while the bodies of one turn wait to be parsed', async (t) => {
  const { app, url } = await startServer(t)
  const body = `{"receiver_username":"alice","content":"x","x":[${'{},'.repeat(21_000)}{}]}`
  const count = 60
  const heads: unknown[] = []
  app.server.on('request', (head) => heads.push(head))
  let answered = 0
  const all = await Promise.all(Array.from({ length: count }, () => dial(t, url)))
  for (const { write } of all) write(post('/send', body).slice(0, -1))
  const probe = await dial(t, url)
  probe.write(get('/health/live', ''))
  await probe.until((bytes) => bytes.includes('}'))
  while (heads.length <= count) await nextTurn()
  const { promise, resolve } = Promise.withResolvers<number>()
  probe.socket.once('data', () => resolve(answered))
  for (const { socket } of all) {
    socket.once('data', () => {
      answered += 1
    })
  }
  for (const { write } of all) write('}')
  probe.write(get('/health/live', ''))
  const before = await promise
  t.ok(before < count, `${before} of ${count} requests were answered first`)
  for (const connection of all) {
    t.match(replies(await connection.until((bytes) => bytes.includes('}'))), [{ status: 400 }])
  }
})

t.test('work of a disconnected client is dropped', async (t) => {
  const server = await startServer(t)
  const { app } = server
  const alice = await server.login('alice')
  const held = holdTurns(server)
  for (const request of [send('lost', alice.token), get('/users/me', alice.token)]) {
    const connection = await dialServer(t, app.server)
    connection.write(request)
    await held.until(1)
    connection.socket.resetAndDestroy()
    await connection.tcpClosed
    held.waiting.shift()?.handleNext()
  }
  t.equal(app.bodies.bytes, 0)
  held.release()
  t.strictSame(await alice.history('alice'), [])
})

t.test('a request that waited too long is refused before its body is parsed', async (t) => {
  const server = await startServer(t, { MAX_LOOP_DELAY_MS: '1000' })
  const alice = await server.login('alice')
  const held = holdTurns(server)
  const refused = { status: 503, body: { code: 'OVERLOADED' } }
  const [first, second] = await Promise.all([dial(t, server.url), dial(t, server.url)])
  first.write(post('/send', '{', alice.token))
  second.write(get('/users/me', alice.token))
  await held.until(2)
  stopClock(t).time += 10_000
  held.release()
  for (const connection of [first, second]) {
    const [reply] = replies(await connection.until((bytes) => bytes.includes('}')))
    t.match(reply, refused)
    t.ok(Number(reply?.headers.get('retry-after')) >= 1)
  }
})

t.test('sources take turns, and the work of one source begins in order of arrival', async (t) => {
  const turns = new Turns()
  const begun: string[] = []
  const add = (source: number, name: string, left = 0) => {
    const one = { left }
    turns.add(source, {
      handleNext() {
        if (begun.at(-1) !== name) begun.push(name)
        one.left -= 1
        return one.left > 0
      },
    })
  }
  useUp(turns)
  for (const name of ['a1', 'a2', 'a3']) add(1, name)
  // A socket with more frames than its share.
  add(2, 'b1', 40)
  add(2, 'b2')
  add(3, 'c1')
  while (!turns.hasTime) await nextTurn()
  t.strictSame(begun, ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'b1'])
})

t.test('requests and frames of a user wait as one source, and other requests by address', async (t) => {
  const server = await startServer(t)
  const { token, id, call } = await server.login('alice')
  const bob = await server.login('bob')
  const socket = await bob.connect()
  // Verifies the token.
  await call('GET', '/users/me')
  const held = holdTurns(server)
  const anonymous = post('/login', JSON.stringify({ username: 'carol' }))
  for (const [request, source] of [
    [get('/conversations', token), id],
    [send('hello', token), id],
    [handshake(token), id],
    [anonymous, '127.0.0.1'],
    [get('/conversations', `${token}x`), '127.0.0.1'],
  ] as const) {
    const connection = await dial(t, server.url)
    connection.write(request)
    await held.until(held.sources.length + 1)
    t.equal(held.sources.at(-1), source)
  }
  socket.send({ id: '1', receiver_username: 'alice', content: 'x' })
  await held.until(held.sources.length + 1)
  t.equal(held.sources.at(-1), bob.id)
  held.release()
})

t.test('when too many requests wait, the source with the most is refused', async (t) => {
  const { app } = await startServer(t)
  const turns = new Turns(4)
  const requestTurns = createRequestTurns(turns, app.chat.load, (request) => request.id)
  const ended: string[] = []
  const begin = (id: string, name: string) =>
    requestTurns.begin({ id, raw: { socket: { destroyed: false } } } as never, 'read', {
      go: (error) => ended.push(`${name} ${error?.code ?? 'began'}`),
    })
  useUp(turns)
  for (const name of ['a1', 'a2', 'a3']) begin('a', name)
  begin('b', 'b1')
  // The frames of a socket are not refused.
  turns.add('a', { handleNext: () => false })
  t.strictSame(ended, [])
  begin('c', 'c1')
  t.strictSame(ended.splice(0), ['a3 OVERLOADED'])
  begin('b', 'b2')
  t.strictSame(ended.splice(0), ['b2 OVERLOADED'], 'of two, the one that came last')
  const single = new Turns(1)
  useUp(single)
  const refused: string[] = []
  for (const source of ['a', 'b'])
    single.add(source, {
      handleNext: () => false,
      refuse: () => refused.push(source),
    })
  t.strictSame(refused, ['b'])
  while (!turns.hasTime || !single.hasTime) await nextTurn()
  t.strictSame(ended, ['a1 began', 'b1 began', 'c1 began', 'a2 began'])
})

t.test('a handshake that waits during the stop closes with 1001', async (t) => {
  const server = await startServer(t)
  const { app, url } = server
  const alice = await server.login('alice')
  const held = holdTurns(server)
  const connection = await dial(t, url)
  connection.write(handshake(alice.token))
  await held.until(1)
  const stopped = new Promise<void>((resolve) => {
    const { stop } = app.sockets
    app.sockets.stop = () => {
      stop.call(app.sockets)
      resolve()
    }
  })
  const closed = app.close()
  await stopped
  held.release()
  const received = await connection.until((bytes) => bytes.includes(Buffer.from([0x03, 0xe9])))
  t.match(received.toString('latin1'), /^HTTP\/1.1 101 /)
  connection.socket.end()
  await closed
})

t.test('a storm of reconnecting sockets does not starve other clients', async (t) => {
  const { url, login } = await startServer(t, { RATE_LIMIT_SEND: '0' })
  const alice = await login('alice')
  const cursor = (await alice.connect()).frames.flatMap((frame) =>
    frame.type === 'hello' ? [frame.cursor] : [],
  )[0]
  const writer = await alice.connect()
  for (let id = 0; id < 200; id += 1)
    writer.send({ id: `${id}`, receiver_username: 'alice', content: 'x'.repeat(2000) })
  await writer.wait('ack', ({ id }) => id === '199')
  const count = 100
  const caughtUp: unknown[] = []
  const all = await Promise.all(Array.from({ length: count }, () => dial(t, url)))
  for (const { socket } of all) {
    socket.on('data', (bytes) => {
      if (bytes.includes('caught_up')) caughtUp.push(socket)
    })
  }
  const probe = await dial(t, url)
  probe.write(get('/health/live', ''))
  await probe.until((bytes) => bytes.includes('}'))
  for (const { write } of all) write(handshake(alice.token, `?cursor=${cursor}`))
  let probes = 1
  while (caughtUp.length < count) {
    probe.write(get('/health/live', ''))
    probes += 1
    await probe.until((bytes) => countReplies(bytes) === probes)
  }
  t.ok(probes > 10, `${probes} probes were answered meanwhile`)
})
