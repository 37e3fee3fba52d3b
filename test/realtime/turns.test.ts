import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import t, { type Test } from 'tap'
import { spreadPipelines } from '../../src/http/pipelines.ts'
import { trackReply } from '../../src/http/replies.ts'
import { createRequestTurns } from '../../src/http/request-turns.ts'
import type { Waiting } from '../../src/load/turns.ts'
import { Turns } from '../../src/load/turns.ts'
import { handshake } from '../support/frames.ts'
import { dial, rawRequest, replies } from '../support/raw.ts'
import { type Server, startServer } from '../support/server.ts'

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

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

/** Makes every turn report that it has no time left, and collects the waiting work for the test to run. */
const holdTurns = ({ app }: Server) => {
  const waiting: Waiting[] = []
  const { turns } = app.chat
  Object.defineProperty(turns, 'hasTime', { value: false, configurable: true })
  turns.add = (one) => {
    waiting.push(one)
  }
  return {
    waiting,
    /** Waits until `count` units of work wait. */
    async until(count: number) {
      while (waiting.length < count) await nextTurn()
    },
    /** Runs all waiting work, and lets later work run at once. */
    release() {
      Object.defineProperty(turns, 'hasTime', { value: true, configurable: true })
      const run = (one: Waiting) => {
        while (one.handleNext());
      }
      turns.add = (one) => void setImmediate(run, one)
      for (const one of waiting.splice(0)) run(one)
    },
  }
}

const get = (path: string, token: string) => rawRequest('GET', path, token)
/** @returns the number of replies in `bytes`, of which the last can be incomplete. */
const countReplies = (bytes: Buffer) => bytes.toString('latin1').split('HTTP/1.1 ').length - 1
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

t.test('pipelined requests that wait are answered and stored in order', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const held = holdTurns(server)
  const connection = await dial(t, server.url)
  connection.write(send('one', alice.token) + get('/users/me', alice.token) + send('two', alice.token))
  await held.until(1)
  held.release()
  const found = replies(await connection.until((bytes) => countReplies(bytes) === 3))
  t.match(found, [
    { status: 200, body: { content: 'one' } },
    { status: 200, body: { username: 'alice' } },
    { status: 200, body: { content: 'two' } },
  ])
  t.strictSame(
    (await alice.history('alice')).map(({ content }) => content),
    ['one', 'two'],
  )
})

t.test('a pipelining client is not read further while its requests wait', async (t) => {
  const server = await startServer(t)
  const { token } = await server.login('alice')
  const held = holdTurns(server)
  const connection = await dial(t, server.url)
  const count = 5000
  const heads: unknown[] = []
  server.app.server.on('request', (head) => heads.push(head))
  connection.write(get('/users/me', token).repeat(count))
  await held.until(1)
  const other = await dial(t, server.url)
  for (let round = 1; round <= 50; round += 1) {
    other.write(get('/health/live', ''))
    await other.until((bytes) => countReplies(bytes) === round)
  }
  t.ok(heads.length < 1700, `${heads.length} of ${count} requests were read`)
  held.release()
  await connection.until((bytes) => countReplies(bytes) === count)
})

t.test('a pipelined request starts when the reply before it has been read', async (t) => {
  const started: string[] = []
  const server = createServer((request, reply) => {
    started.push(String(request.url))
    // Larger than the buffers of the connection, so that the reply stays unsent while the client does not read.
    reply.end(Buffer.alloc(32 * 1_048_576))
  })
  spreadPipelines(server, new Turns())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const client = await dial(t, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  client.socket.pause()
  client.write(get('/1', '') + get('/2', ''))
  await once(server, 'request')
  for (let turn = 0; turn < 50; turn += 1) await nextTurn()
  t.strictSame(started, ['/1'], 'the second request waits while the first reply is not read')
  client.socket.resume()
  while (started.length < 2) await nextTurn()
  t.strictSame(started, ['/1', '/2'])
  client.socket.destroy()
})

t.test('a connection that pipelines more requests than may wait is closed', async (t) => {
  const handled: string[] = []
  const server = createServer((request, reply) => {
    handled.push(String(request.url))
    reply.end()
  })
  const turns = new Turns()
  const waiting: Waiting[] = []
  Object.defineProperty(turns, 'hasTime', { value: false })
  turns.add = (one) => {
    waiting.push(one)
  }
  spreadPipelines(server, turns, 3)
  server.on('request', (request, reply) => trackReply(request.socket, reply))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const getAll = (...paths: string[]) => paths.map((path) => get(path, '')).join('')

  const first = await dial(t, url)
  first.write(getAll('/1', '/2', '/3', '/4'))
  await first.until((bytes) => bytes.length > 0)
  t.strictSame(handled, ['/1'], 'the first request waits for no other')
  const second = await dial(t, url)
  second.write(getAll('/5', '/6'))
  await second.closed
  t.strictSame(handled, ['/1', '/5'])
  turns.add = (one) => void one.handleNext()
  waiting.pop()?.handleNext()
  await first.until((bytes) => countReplies(bytes) === 4)
  t.strictSame(handled, ['/1', '/5', '/2', '/3', '/4'])

  turns.add = (one) => {
    waiting.push(one)
  }
  const arrived = once(server, 'connection')
  const gone = await dial(t, url)
  const [tcp] = (await arrived) as [Socket]
  const closed = new Promise((resolve) => tcp.once('close', resolve))
  gone.write(getAll('/7', '/8', '/9'))
  await gone.until((bytes) => bytes.length > 0)
  while (waiting.length === 0) await nextTurn()
  tcp.destroy()
  await closed
  t.notOk(waiting[0]?.handleNext())
  t.strictSame(handled.slice(5), ['/7'], 'work of a disconnected client is dropped')
  first.socket.destroy()
})

t.test('work of a disconnected client is dropped', async (t) => {
  const server = await startServer(t)
  const { app, url } = server
  const alice = await server.login('alice')
  const held = holdTurns(server)
  for (const request of [send('lost', alice.token), get('/users/me', alice.token)]) {
    const arrived = once(app.server, 'connection')
    const connection = await dial(t, url)
    const [tcp] = (await arrived) as [Socket]
    const closed = new Promise((resolve) => tcp.once('close', resolve))
    connection.write(request)
    await held.until(1)
    connection.socket.resetAndDestroy()
    await closed
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
