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
  await turns.ready()
  t.ok(turns.hasTime)
  clock.time += 10
  const once = (name: string): Waiting => ({
    handleNext() {
      done.push(name)
      return false
    },
  })
  turns.add(once('one'))
  turns.add(once('two'))
  const many = { left: 40 }
  turns.add({
    handleNext() {
      many.left -= 1
      done.push('many')
      return many.left > 0
    },
  })
  turns.add(once('three'))
  t.notOk(turns.hasTime)
  t.strictSame(done, [])
  await turns.ready()
  t.strictSame(done.slice(0, 2), ['one', 'two'])
  t.equal(done.indexOf('three'), 34, 'one source gets no more than its share')
  while (many.left > 0) await nextTurn()
  await nextTurn()
  t.ok(turns.hasTime)
  const fresh = new Turns()
  await new Promise<void>((resolve) =>
    fresh.add({
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
    turns.add({
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
    await turns.ready()
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

t.test('a limited number of requests wait, and further requests are refused', async (t) => {
  const { app } = await startServer(t)
  const turns = new Turns()
  const requestTurns = createRequestTurns(turns, app.chat.load, 1)
  const refusals: (string | undefined)[] = []
  useUp(turns)
  const socket = { destroyed: false }
  const begin = () =>
    requestTurns.begin({ socket } as never, 'read', { go: (error) => refusals.push(error?.code) })
  begin()
  begin()
  t.strictSame(refusals, ['OVERLOADED'])
  while (refusals.length < 2) await nextTurn()
  t.strictSame(refusals, ['OVERLOADED', undefined])
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
