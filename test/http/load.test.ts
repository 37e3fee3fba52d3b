import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import type { Work } from '../../src/load/shedding.ts'
import { loadConfig } from '../../src/config.ts'
import { AppError } from '../../src/errors.ts'
import { createLoad, measureEventLoop } from '../../src/load/shedding.ts'
import { startFaulty } from '../support/fault.ts'
import { readMetrics } from '../support/metrics.ts'
import { call, person, type Reply, startServer, temporaryFolder } from '../support/server.ts'

const even = (delay: number) => ({ mean: delay, max: delay })

/** @returns the work that is refused after windows with these delays in ms, at a limit of 100 ms. */
const refusedAfter = (...delays: number[]) => {
  const waiting = [...delays]
  const measure = { read: () => even(waiting.shift() as number), stop: () => {} }
  const load = createLoad(loadConfig({ MAX_LOOP_DELAY_MS: '100' }), measure)
  load.stop()
  while (waiting.length > 0) load.endWindow()
  const isRefused = (work: Work) => {
    try {
      load.check(work)
      return false
    } catch (error) {
      const { code, retryAfter = 0 } = error as AppError
      return code === 'OVERLOADED' && retryAfter >= 1
    }
  }
  return (['write', 'read'] as const).filter(isRefused)
}

t.test('sustained lag refuses writes, then reads, and one long pause refuses nothing', async (t) => {
  t.strictSame(refusedAfter(), [])
  t.strictSame(refusedAfter(90, 90), [])
  t.strictSame(refusedAfter(5000), [], 'one pause is not sustained lag')
  t.strictSame(refusedAfter(0, 5000, 0), [])
  t.strictSame(refusedAfter(150, 120), ['write'])
  t.strictSame(refusedAfter(450, 410), ['write', 'read'])
  t.strictSame(refusedAfter(450, 410, 10), [], 'the refusals end with the lag')
})

t.test('without a limit nothing is refused', async (t) => {
  const load = createLoad(loadConfig({ MAX_LOOP_DELAY_MS: '0' }), { read: () => even(1e6), stop: () => {} })
  load.stop()
  load.endWindow()
  load.endWindow()
  load.check('write')
  t.equal(load.delay, 1e6)
})

t.test('the longest pause is kept until it is read, even if it was short', async (t) => {
  const waiting = [even(0), { mean: 30, max: 2000 }, { mean: 1, max: 5 }]
  const load = createLoad(loadConfig({}), { read: () => waiting.shift() ?? even(0), stop: () => {} })
  load.stop()
  for (const _ of [...waiting]) load.endWindow()
  t.equal(load.delay, 1, 'two windows with one long pause are not sustained lag')
  t.equal(load.takeWorst(), 2000)
  t.equal(load.takeWorst(), 0)
})

t.test(
  'one in eight overdue requests is refused: sends past the limit, reads past four times the limit',
  async (t) => {
    const load = createLoad(loadConfig({ MAX_LOOP_DELAY_MS: '100' }), { read: () => even(0), stop: () => {} })
    load.stop()
    const refusedOf = (count: number, work: Work, waited: number) => {
      let refused = 0
      for (let index = 0; index < count; index += 1) {
        try {
          load.check(work, waited)
        } catch (error) {
          t.match(error, { code: 'OVERLOADED', retryAfter: Number })
          refused += 1
        }
      }
      return refused
    }
    t.equal(refusedOf(80, 'write', 100), 0)
    t.equal(refusedOf(80, 'write', 101), 10)
    t.equal(refusedOf(80, 'read', 400), 0)
    t.equal(refusedOf(80, 'read', 401), 10)
  },
)

t.test('the delay of a blocked event loop is measured', async (t) => {
  const measure = measureEventLoop()
  t.teardown(() => measure.stop())
  for (let turn = 0; turn < 5; turn += 1) {
    const end = performance.now() + 40
    while (performance.now() < end);
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const looked = performance.now()
  const { mean, max } = measure.read()
  t.ok(mean > 5 && mean <= max, `${mean} ms`)
  t.ok(max > 20 && max < 10_000, `${max} ms`)
  const again = measure.read()
  t.ok(again.max <= performance.now() - looked, 'the maximum counts from the last read')
})

t.test('a lagging event loop refuses writes, then reads, and recovers when the lag ends', async (t) => {
  const server = await startFaulty(t, await temporaryFolder(t), { MAX_LOOP_DELAY_MS: '50' })
  const { url } = server
  const until = async <T>(status: number, request: () => Promise<Reply<T>>) => {
    for (;;) {
      const reply = await request()
      if (reply.status === status) return reply
    }
  }
  // The start itself lags on a busy machine.
  const session = await until(200, () =>
    call<Session>(url, 'POST', '/login', { body: { username: 'alice' } }),
  )
  const alice = person(t, url, session.body)
  const send = () => alice.call('POST', '/send', { receiver_username: 'alice', content: 'x' })
  const history = () => alice.call('GET', '/history/alice')
  const probesAnswer = async () => {
    for (const path of ['/health/live', '/health/ready'])
      t.equal((await call(url, 'GET', path)).status, 200, path)
  }
  const metric = async (name: string) => (await readMetrics(url))(name)

  server.begin('lag 150')
  const refused = await until(503, send)
  t.equal(refused.body.code, 'OVERLOADED')
  t.ok(Number(refused.headers.get('retry-after')) >= 1)
  t.match(await history(), { status: 200 }, 'reads still work')
  await probesAnswer()
  while (!((await metric('messenger_event_loop_delay_seconds')) > 0.05));
  t.ok((await metric('messenger_overload_total{reason="event_loop"}')) >= 1)

  server.begin('lag 500')
  t.match(
    await until(503, history),
    { body: { code: 'OVERLOADED' } },
    'at four times the limit reads are refused',
  )
  t.match(await until(503, send), { body: { code: 'OVERLOADED' } })
  await probesAnswer()
  t.ok((await metric('messenger_event_loop_delay_max_seconds')) > 0.4)

  server.end()
  t.match(await until(200, history), { status: 200 })
  t.match(await until(200, send), { status: 200 })
})

t.test('overload is refused with a retry hint over HTTP and sockets, and probes succeed', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  let tooMuch: Work[] = ['write']
  t.intercept(app.chat.load, 'check', {
    value: (work: Work) => {
      if (tooMuch.includes(work)) throw new AppError('OVERLOADED', 'Too much.', { retryAfter: 2 })
    },
  })
  const refused = { status: 503, body: { code: 'OVERLOADED' } }
  const sent = await alice.call('POST', '/send', { receiver_username: 'alice', content: 'x' })
  t.match(sent, refused)
  t.equal(sent.headers.get('retry-after'), '2')
  t.match(await socket.request({ type: 'send', receiver_username: 'alice', content: 'x' }), {
    type: 'error',
    retryable: true,
    retry_after: 2,
    problem: { code: 'OVERLOADED' },
  })
  t.match(await socket.request({ type: 'ping' }), { type: 'pong' })
  t.match(await alice.call('GET', '/history/alice'), { status: 200 }, 'reads still work')
  t.match(await alice.call('GET', '/sync'), { status: 200 })

  tooMuch = ['write', 'read']
  t.match(await alice.call('GET', '/history/alice'), refused)
  t.match(await alice.call('GET', '/sync'), refused)
  t.match(await call(url, 'POST', '/login', { body: { username: 'alice' } }), refused)
  await t.rejects(alice.connect(), /refused/, 'new sockets are refused')
  t.match(await call(url, 'GET', '/health/live'), { status: 200 })
  t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  t.equal((await fetch(`${url}/metrics`)).status, 200)

  tooMuch = []
  t.strictSame(await alice.history('alice'), [], 'a refused send stores no row')
})

t.test('a full write queue refuses writes with a retry hint, and reads still work', async (t) => {
  const { app, login } = await startServer(t, { MAX_QUEUE: '2', RATE_LIMIT_SEND: '0' })
  const alice = await login('alice')
  const socket = await alice.connect()
  const count = 40
  for (let id = 0; id < count; id += 1) {
    socket.send({ id: `${id}`, receiver_username: 'alice', content: `${id}` })
  }
  await socket.settle()
  const answers = socket.frames.filter((frame) => frame.type === 'ack' || frame.type === 'error')
  while (answers.length < count) {
    const next = await socket.next()
    if ((next.type === 'ack' || next.type === 'error') && !answers.includes(next)) answers.push(next)
  }
  const refused = answers.filter((frame) => frame.type === 'error')
  t.ok(refused.length > 0, `${refused.length} of ${count} were refused`)
  for (const frame of refused) {
    t.match(frame, { retryable: true, retry_after: 1, problem: { code: 'OVERLOADED' } })
  }
  t.equal(app.database.writer.pending, 0)
  const stored = await alice.history('alice')
  t.equal(stored.length, count - refused.length, 'a refused send stores no row')
})

t.test('a flood of frames delays no other client and is answered in order', async (t) => {
  const { login, call } = await startServer(t, { SOCKET_FRAMES_PER_SECOND: '1000000', RATE_LIMIT_SEND: '0' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [flood, other] = [await alice.connect(), await bob.connect()]
  const count = 4000
  for (let id = 0; id < count; id += 1) {
    flood.send({ id: `${id}`, receiver_username: 'alice', content: `${id}` })
  }
  const acks = () => flood.frames.flatMap((frame) => (frame.type === 'ack' ? [frame] : []))
  await flood.wait('ack')
  t.match(await other.request({ type: 'ping' }), { type: 'pong' })
  t.match(await call('GET', '/health/live'), { status: 200 })
  t.ok(acks().length < count, `${count - acks().length} frames still waited`)
  await flood.wait('ack', ({ id }) => id === `${count - 1}`)
  t.strictSame(
    acks().map(({ id }) => id),
    Array.from({ length: count }, (_, id) => `${id}`),
  )
})

t.test('when a token ends during a flood, exactly the acknowledged messages are stored', async (t) => {
  const { login, rows } = await startServer(t, {
    SOCKET_FRAMES_PER_SECOND: '1000000',
    RATE_LIMIT_SEND: '0',
  })
  const alice = await login('alice')
  const flood = await alice.connect()
  let sent = 0
  const isClosed = flood.closed.then(() => true)
  /** Keeps thousands of unanswered frames in flight, however fast the server is. */
  const keepFlooding = async () => {
    do {
      for (; sent - flood.frames.length < 4000; sent += 1) {
        flood.send({ id: `${sent}`, client_id: `${sent}`, receiver_username: 'alice', content: `${sent}` })
      }
    } while (!(await Promise.race([isClosed, new Promise((resolve) => setImmediate(resolve, false))])))
  }
  const flooding = keepFlooding()
  await flood.wait('ack')
  t.match(await alice.call('POST', '/logout'), { status: 204 })
  t.equal((await flood.closed).code, 4401)
  await flooding
  const acked = flood.frames.flatMap((frame) => (frame.type === 'ack' ? [{ client_id: frame.id }] : []))
  t.ok(acked.length < sent, `${acked.length} of ${sent}`)
  t.strictSame(await rows('select client_id from messages order by id'), acked)
})
