import t from 'tap'
import { call, startServer } from './support/server.ts'

const read = async (url: string) => (await fetch(`${url}/metrics`)).text()

t.test('counters of requests, frames, commits and sockets are there for Prometheus', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  await alice.send('alice', 'hello')
  await socket.ask({ type: 'ping' })
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
    // Making the account, and the message.
    'messenger_batch_size_count 2',
    'messenger_batch_seconds_count 2',
  ]) {
    t.ok(text.split('\n').includes(line), line)
  }
  t.match(text, /messenger_event_loop_delay_seconds \d/)
  t.match(text, /messenger_overload_total\{work="write"\} 0/)
  socket.send(Buffer.from('{}').toString())
  socket.socket.send(Buffer.from('binary'))
  await socket.closed
  t.match(await read(url), 'messenger_sockets_closed_total{code="1003"} 1')
})

t.test('labels are few, whatever clients send', async (t) => {
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
