import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { spreadPipelines } from '../../src/http/pipelines.ts'
import { trackReply } from '../../src/http/replies.ts'
import { type Waiting, Turns } from '../../src/load/turns.ts'
import { listen } from '../support/listen.ts'
import { countReplies, dial, dialServer, rawRequest, replies } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { holdTurns, nextTurn } from '../support/turns.ts'

const get = (path: string, token = '') => rawRequest('GET', path, token)
const send = (content: string, token: string) =>
  rawRequest('POST', '/send', token, JSON.stringify({ receiver_username: 'alice', content }))

t.test('an invalid pipelined request does not affect the replies of requests before it', async (t) => {
  const { url, login } = await startServer(t, { REQUEST_TIMEOUT_MS: '500' })
  const alice = await login('alice')
  const chunked =
    'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
  const upgrade =
    `GET /ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice.token}\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  let stored = 0
  for (const [what, behind, refusal] of [
    ['garbage', 'garbage\r\n\r\n', 400],
    ['much garbage', 'garbage\r\n\r\n'.repeat(10_000), 400],
    ['a request with a broken body', `${chunked}xyz\r\n`, 400],
    ['half a request', 'POST /login HTTP/1.1\r\nHost: x\r\n', 408],
    ['half a body', `${chunked}5\r\n`, 408],
    ['an unknown expectation', 'POST /login HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n', 400],
    ['a handshake', `${upgrade}Connection: Upgrade, close\r\n\r\n`, 426],
    ['long headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    const connection = await dial(t, url)
    connection.write(send('one', alice.token) + send('two', alice.token) + behind)
    const answers = replies(await connection.closed)
    stored += 2
    t.match(
      answers,
      [
        { status: 200, body: { content: 'one' } },
        { status: 200, body: { content: 'two' } },
        { status: refusal, body: { status: refusal } },
      ],
      what,
    )
    t.equal(answers.length, 3)
    t.equal(answers[2]?.headers.get('connection'), 'close')
    t.equal((await alice.history('alice')).length, stored)
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
  const client = await dial(t, await listen(t, server))
  client.socket.pause()
  client.write(get('/1') + get('/2'))
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
  turns.add = (_source, one) => {
    waiting.push(one)
  }
  spreadPipelines(server, turns, 3)
  server.on('request', (request, reply) => trackReply(request.socket, reply))
  const url = await listen(t, server)
  const getAll = (...paths: string[]) => paths.map((path) => get(path)).join('')

  const first = await dial(t, url)
  first.write(getAll('/1', '/2', '/3', '/4'))
  await first.until((bytes) => bytes.length > 0)
  t.strictSame(handled, ['/1'], 'the first request waits for no other')
  const second = await dial(t, url)
  second.write(getAll('/5', '/6'))
  await second.closed
  t.strictSame(handled, ['/1', '/5'])
  turns.add = (_source, one) => void one.handleNext()
  waiting.pop()?.handleNext()
  await first.until((bytes) => countReplies(bytes) === 4)
  t.strictSame(handled, ['/1', '/5', '/2', '/3', '/4'])

  turns.add = (_source, one) => {
    waiting.push(one)
  }
  const gone = await dialServer(t, server)
  gone.write(getAll('/7', '/8', '/9'))
  await gone.until((bytes) => bytes.length > 0)
  while (waiting.length === 0) await nextTurn()
  gone.tcp.destroy()
  await gone.tcpClosed
  t.notOk(waiting[0]?.handleNext())
  t.strictSame(handled.slice(5), ['/7'], 'work of a disconnected client is dropped')
  first.socket.destroy()
})

t.test('the rest of the chunk is not parsed after its connection was closed', async (t) => {
  const requests: unknown[] = []
  const server = createServer((_request, reply) => reply.end())
  spreadPipelines(server, new Turns(), 3)
  server.on('request', (request) => requests.push(request))
  const client = await dial(t, await listen(t, server))
  client.write(get('/').repeat(500))
  await client.closed
  t.equal(requests.length, 5, 'one begins, three wait, and the next one closes the connection')
})

t.test('the places of a closed connection are free in a later turn', async (t) => {
  const server = createServer(() => {})
  spreadPipelines(server, new Turns(), 3)
  /** Requests that arrive in one chunk. @returns the number of them that the connection accepts before it is closed */
  const pipeline = () => {
    const socket = { destroyed: false, destroy: () => (socket.destroyed = true), pause: () => {} }
    const first = new EventEmitter()
    let accepted = 0
    for (let reply = first; accepted < 100; reply = new EventEmitter()) {
      server.emit('request', { socket } as never, reply as never)
      if (socket.destroyed) break
      accepted += 1
    }
    first.emit('close')
    return accepted
  }
  t.equal(pipeline(), 4, 'one begins, and three wait')
  t.equal(pipeline(), 1)
  await nextTurn()
  t.equal(pipeline(), 4)
})
