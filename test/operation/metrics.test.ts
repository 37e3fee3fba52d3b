import t from 'tap'
import { AppError } from '../../src/errors.ts'
import { rawFrame, rawSocket } from '../support/frames.ts'
import { call, startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'

const read = async (url: string) => (await fetch(`${url}/metrics`)).text()

t.test('Prometheus can read counters of requests, frames, commits and sockets', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  await alice.send('alice', 'hello')
  await socket.request({ type: 'ping' })
  await call(url, 'GET', '/nowhere')
  await alice.call('POST', '/send', {})
  const text = await read(url)
  for (const line of [
    'messenger_requests_total{method="POST",route="/login",status="200"} 1',
    'messenger_requests_total{method="POST",route="/send",status="200"} 1',
    'messenger_requests_total{method="POST",route="/send",status="400"} 1',
    'messenger_problems_total{code="ROUTE_NOT_FOUND"} 1',
    'messenger_problems_total{code="VALIDATION_FAILED"} 1',
    'messenger_sockets 1',
    'messenger_sockets_opened_total 1',
    'messenger_frames_total 1',
    'messenger_frames_dropped_total 0',
    'messenger_queue_length 0',
    // One for the account and one for the message.
    'messenger_batch_size_count 2',
    'messenger_batch_seconds_count 2',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
  t.match(text, /messenger_event_loop_delay_seconds \d/)
  socket.send(Buffer.from('{}').toString())
  socket.socket.send(Buffer.from('binary'))
  await socket.closed
  t.match(await read(url), 'messenger_sockets_closed_total{code="1003"} 1')
})

t.test('errors over a socket, and invalid frames, are counted like errors over HTTP', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  const send = { receiver_username: 'alice', content: 'x' }
  t.intercept(app.database.writer, 'append', {
    value: () => Promise.reject(new AppError('STORAGE_UNAVAILABLE', 'Not now.')),
  })
  t.match(await alice.call('POST', '/send', send), { status: 503 })
  t.match(await socket.request({ type: 'send', ...send }), { type: 'error' })
  socket.send('{')
  socket.send({ type: 'nonsense' })
  await socket.wait('error', ({ problem }) => problem.code === 'UNKNOWN_FRAME')
  const lines = (await read(url)).split('\n')
  for (const line of [
    'messenger_problems_total{code="STORAGE_UNAVAILABLE"} 2',
    'messenger_problems_total{code="INVALID_JSON"} 1',
    'messenger_problems_total{code="UNKNOWN_FRAME"} 1',
    'messenger_frames_total 3',
  ]) {
    t.ok(lines.includes(line), line)
  }
})

t.test('overload refusals are counted by their cause', async (t) => {
  const { url, login } = await startServer(t, { MAX_SOCKETS: '1', MAX_QUEUE: '2', RATE_LIMIT_SEND: '0' })
  const alice = await login('alice')
  const counts = async () =>
    Object.fromEntries(
      [...(await read(url)).matchAll(/messenger_overload_total\{reason="(\w+)"\} (\d+)/g)].map(
        ([, reason, count]) => [reason, Number(count)],
      ),
    )
  t.strictSame(await counts(), { event_loop: 0, queue: 0, sockets: 0, bodies: 0, other: 0 })
  const socket = await alice.connect()
  const refused = await refusedHandshake(`${url}/ws`, { authorization: `Bearer ${alice.token}` })
  t.match(refused, { status: 503 })
  const asked = Array.from({ length: 40 }, (_, n) =>
    socket.request({ type: 'send', receiver_username: 'alice', content: `${n}` }),
  )
  const errors = (await Promise.all(asked)).filter(({ type }) => type === 'error')
  t.ok(errors.length > 0, `${errors.length} of 40`)
  t.strictSame(await counts(), { event_loop: 0, queue: errors.length, sockets: 1, bodies: 0, other: 0 })
})

t.test('a socket that ws closes is counted under its close code', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const parts = Array.from({ length: 16_400 }, () => rawFrame('', { fin: false, opcode: 0 }))
  for (const [code, bytes] of [
    [1002, rawFrame('{}', { isMasked: false })],
    [1007, rawFrame(Buffer.from([0xff]))],
    [1008, Buffer.concat([rawFrame('', { fin: false }), ...parts])],
    [1009, rawFrame('', { length: 2n ** 63n })],
  ] as const) {
    const socket = await rawSocket(t, url, alice.token)
    socket.write(bytes)
    t.equal(await socket.closeCode(), code)
    t.match(await read(url), `messenger_sockets_closed_total{code="${code}"} 1`)
  }
  const reset = await rawSocket(t, url, alice.token)
  reset.socket.resetAndDestroy()
  while (!/messenger_sockets 0/.test(await read(url)));
  t.equal((await read(url)).match(/messenger_sockets_closed_total\{/g)?.length, 4, 'and a reset under none')
})

t.test('a pause of the event loop between two scrapes is reported', async (t) => {
  const { url } = await startServer(t)
  const end = performance.now() + 600
  while (performance.now() < end);
  for (;;) {
    const [, seconds = '0'] = /messenger_event_loop_delay_max_seconds (\d\S*)/.exec(await read(url)) ?? []
    if (Number(seconds) < 0.5) continue
    t.ok(Number(seconds) < 100, `${seconds} s`)
    return
  }
})

t.test('clients cannot add labels', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const before = (await read(url)).split('\n').length
  for (let index = 0; index < 30; index += 1) {
    await call(url, 'GET', `/random-${index}`)
    await alice.call('GET', `/history/nobody-${index}`)
    await alice.call('GET', `/conversations/${index + 1}`)
  }
  const after = (await read(url)).split('\n').length
  t.ok(after - before < 15, `${after - before} more lines`)
  t.notMatch(await read(url), /random-|nobody-/)
})

t.test('a process reports its name, and what the database is to it', async (t) => {
  const { url, login } = await startServer(t, { NODE_NAME: 'blue "1"' })
  const alice = await login('alice')
  await alice.send('alice', 'hello')
  const text = await read(url)
  t.match(text, 'messenger_node_info{node="blue \\"1\\""} 1')
  t.match(text, /^messenger_database_role\{role="(file|primary)"\} 1$/m)
  t.match(text, /^messenger_database_connections\{state="used"\} 0$/m)
  t.match(text, /^messenger_database_connections\{state="idle"\} [1-9]$/m)
  t.match(text, /^messenger_waiting_reads 0$/m)
  t.match(text, /^messenger_feed_lag_seconds \d/m)
  t.match(text, /^messenger_lock_wait_seconds_total \d/m)
  const other = await startServer(t)
  t.match(await read(other.url), `-${process.pid}"} 1`, 'without a name: the machine and the process')
})
