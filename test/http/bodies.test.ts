import { EventEmitter, once } from 'node:events'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { Type } from '@sinclair/typebox'
import { loadConfig } from '../../src/config.ts'
import { Bodies } from '../../src/http/bodies.ts'
import { createBodyLimit } from '../../src/http/body-limit.ts'
import { discardRest } from '../../src/http/discard-rest.ts'
import { startLogged } from '../support/logged.ts'
import { dial, dialServer, replies, sendRaw } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { nextTurn } from '../support/turns.ts'

/** The head of a request with a body, without its final empty line. */
const headOf = (path: string, length: number | 'chunked', token = 'x') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
  `${length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`}\r\n`

/** @returns the limit of an operation's body in bytes, read from its error. */
const limitOf = async (call: Awaited<ReturnType<typeof startServer>>['call'], path: string) => {
  const { body } = await call('POST', path, { body: 'x'.repeat(2_000_000) })
  return Number(/larger than (\d+) bytes/.exec(body.detail)?.[1])
}

/** Writes every character as a \\u escape, as some JSON libraries do for characters outside ASCII. */
const escape = (text: string) =>
  Array.from(
    { length: text.length },
    (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')

t.test('the largest valid bodies are accepted, whatever their encoding', async (t) => {
  const { login, call } = await startServer(t)
  const alice = await login('alice')
  const content = '😀'.repeat(4096)
  const metadata = { a: 'é'.repeat(500), b: Array.from({ length: 5 }, () => 1) }
  const sent = { receiver_username: 'alice', content, metadata, client_id: 'k'.repeat(64) }
  const members = Array.from(
    { length: 255 },
    (_, index) => `${'𝔞'.repeat(60)}${String(index).padStart(4, '0')}`,
  )
  for (const [path, body, status] of [
    ['/send', `{"receiver_username":"alice","content":"${escape(content)}"}`, 200],
    ['/send', JSON.stringify(sent, undefined, 8), 200],
    ['/login', `{"username":"${escape('𝔞'.repeat(64))}","password":"${escape('😀'.repeat(256))}"}`, 401],
    // No user has these names.
    [
      '/groups',
      `{"title":"${escape('😀'.repeat(128))}","members":[${members.map((name) => `"${escape(name)}"`).join(',\r\n    ')}]}`,
      404,
    ],
  ] as const) {
    const reply = await call('POST', path, { body, token: alice.token })
    t.ok([status, 200].includes(reply.status), `${path}: ${reply.status} ${reply.body.detail}`)
  }
})

t.test('each operation has its own body limit, and its error names the limit', async (t) => {
  const { url, call } = await startServer(t)
  const login = await limitOf(call, '/login')
  t.ok(login < 16_384, `login: ${login}`)
  t.ok((await limitOf(call, '/send')) < 70_000)
  t.ok((await limitOf(call, '/groups')) < 220_000)
  t.equal(await limitOf(call, '/token'), 1024, 'an operation without a body')
  const fits = { status: 400, body: { code: 'INVALID_JSON' } }
  const tooLarge = { status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } }
  t.match(await call('POST', '/login', { body: 'x'.repeat(login) }), fits)
  t.match(await call('POST', '/login', { body: 'x'.repeat(login + 1) }), tooLarge)

  const announced = await dial(t, url)
  announced.write(`${headOf('/login', login + 1)}\r\n`)
  t.match(
    replies(await announced.until((bytes) => bytes.includes('}'))),
    [tooLarge],
    'refused before the body is sent',
  )
  const chunked = await dial(t, url)
  chunked.write(`${headOf('/login', 'chunked')}\r\n${(login + 1).toString(16)}\r\n${'x'.repeat(login)}`)
  chunked.write('x')
  t.match(
    replies(await chunked.until((bytes) => bytes.includes('}'))),
    [tooLarge],
    'refused at the first byte above the limit',
  )
})

t.test('MAX_MESSAGE_LENGTH decides the body limit of a send', async (t) => {
  const { call } = await startServer(t, { MAX_MESSAGE_LENGTH: '100' })
  t.ok((await limitOf(call, '/send')) < 20_000)
})

t.test('a route whose body has no bound stops the start with a reason', async (t) => {
  const config = loadConfig({})
  const limit = createBodyLimit(config)
  const object = (properties: Record<string, ReturnType<typeof Type.String>>) =>
    Type.Object(properties, { additionalProperties: false })
  t.throws(() => limit(object({ note: Type.String() })), /The size of \/note is not bounded/)
  t.throws(() => limit(object({ list: Type.Array(Type.Null()) as never })), /\/list is not bounded/)
  t.throws(() => limit(Type.Object({})), /The size of the body is not bounded/)
  t.throws(
    () => limit(object({ list: Type.Array(Type.String(), { maxItems: 2 }) as never })),
    /The size of \/list\/0 is not bounded/,
  )
  const all = object({
    either: Type.Union([Type.Boolean(), Type.Null()]) as never,
    one: { type: 'string', enum: ['a', 'bc'] } as never,
    none: { type: ['string', 'null'], maxLength: 2 } as never,
    list: Type.Array(Type.Number(), { maxItems: 2 }) as never,
  })
  t.ok(limit(all) > 100)
})

t.test('a body for an unknown path is not parsed', async (t) => {
  const { call } = await startServer(t)
  t.match(await call('POST', '/nowhere', { body: '{' }), { status: 404, body: { code: 'ROUTE_NOT_FOUND' } })
})

t.test('the oldest unfinished body is refused when all of them exceed the budget', async (t) => {
  const { app, url, call } = await startServer(t)
  const limit = await limitOf(call, '/groups')
  const text = `{"title":"${'x'.repeat(limit - 12)}"}`
  const open = async () => {
    const connection = await dial(t, url)
    connection.write(`${headOf('/groups', limit)}\r\n${text.slice(0, -1)}`)
    return connection
  }
  const oldest = await open()
  const others = [await open()]
  while (!oldest.socket.destroyed && others.length < 1000) others.push(await open())
  const [reply] = replies(await oldest.closed)
  t.match(reply, { status: 503, body: { code: 'OVERLOADED' } })
  t.ok(Number(reply?.headers.get('retry-after')) >= 1)
  t.equal(reply?.headers.get('connection'), 'close')
  t.ok(others.length * limit > 60_000_000, `${others.length} bodies`)
  t.ok(app.bodies.bytes <= 67_108_864, `${app.bodies.bytes} bytes`)
  const newest = others.at(-1)
  newest?.write('}')
  t.match(replies(await (newest as typeof oldest).until((bytes) => bytes.includes('}'))), [{ status: 400 }])
  t.match(await (await fetch(`${url}/metrics`)).text(), /messenger_overload_total\{reason="bodies"\} [1-9]/)
  for (const { socket } of others) socket.destroy()
  while (app.bodies.bytes > 0) await nextTurn()
  t.equal(app.bodies.bytes, 0, 'completed bodies release their bytes')
})

t.test('a body that arrives byte by byte uses memory for its bytes only', async (t) => {
  const bodies = new Bodies()
  const request = Object.assign(new PassThrough(), { headers: {} })
  const read = new Promise<{ bytes: Buffer; release(): void }>((resolve, reject) =>
    bodies.read(request as never, 1000, (error, body) => (body ? resolve(body) : reject(error))),
  )
  for (let index = 0; index < 999; index += 1) {
    request.write(String(index % 10))
    await nextTurn()
    t.ok(bodies.bytes <= Math.min(1000, 2 * (index + 1)))
  }
  request.end()
  const { bytes, release } = await read
  t.equal(bytes.toString(), '0123456789'.repeat(100).slice(0, 999))
  release()
  t.equal(bodies.bytes, 0)
})

t.test('a body takes no more memory than its announced length', async (t) => {
  const bodies = new Bodies()
  const request = Object.assign(new PassThrough(), { headers: { 'content-length': '131072' } })
  bodies.read(request as never, 200_000, () => {})
  for (const bytes of [65_000, 65_000, 1072]) {
    request.write(Buffer.alloc(bytes))
    await new Promise((resolve) => setImmediate(resolve))
  }
  t.equal(bodies.bytes, 131_072)
  request.destroy()
})

t.test('a client that disconnects during its body causes no server error', async (t) => {
  const { app, url, text } = await startLogged(t, 'info')
  const listening = text()
  for (const path of ['/login', '/send', '/nowhere']) {
    for (const isReset of [true, false]) {
      const connection = await dialServer(t, app.server)
      const asked = once(app.server, 'request')
      connection.write(`${headOf(path, 50)}\r\n{"username":`)
      await asked
      if (isReset) connection.socket.resetAndDestroy()
      else connection.socket.end()
      await connection.tcpClosed
    }
  }
  await nextTurn()
  t.equal(text(), listening)
  t.notMatch(await (await fetch(`${url}/metrics`)).text(), 'messenger_problems_total{code="INTERNAL"}')
  t.equal(app.bodies.bytes, 0)
})

t.test('the rest of a refused body is read, up to 32 MiB', async (t) => {
  const { url } = await startServer(t)
  const connection = await dial(t, url)
  connection.write(`${headOf('/login', 40_000_000)}\r\n`)
  await connection.until((bytes) => bytes.includes('}'))
  const block = Buffer.alloc(1_000_000)
  let sent = 0
  while (!connection.socket.destroyed && sent < 40) {
    await new Promise((resolve) => connection.socket.write(block, resolve))
    sent += 1
  }
  t.match(replies(await connection.closed), [{ status: 413 }])
  t.ok(sent > 30, `${sent} MB`)
})

t.test('the rests of many refused bodies are read in turns', async (t) => {
  const chunks: number[] = []
  let turn = 0
  const [count, chunksOfEach] = [100, 4]
  for (let index = 0; index < count; index += 1) {
    const request = Object.assign(new PassThrough({ highWaterMark: 1_048_576 }), {
      headers: { 'content-length': '1000000' },
      complete: false,
    })
    for (let chunk = 0; chunk < chunksOfEach; chunk += 1) request.write(Buffer.alloc(65_536))
    const reply = new EventEmitter()
    discardRest(request as never, reply as never)
    reply.emit('finish')
    request.on('data', () => {
      chunks[turn] = (chunks[turn] ?? 0) + 1
    })
  }
  const read = () => chunks.reduce((sum, each) => sum + (each ?? 0), 0)
  while (read() < count * chunksOfEach) {
    await new Promise((resolve) => setImmediate(resolve))
    turn += 1
  }
  const [first, ...later] = chunks.filter(Boolean)
  t.equal(first, count, 'one chunk of each is read at once')
  t.ok(Math.max(...later) <= 16, later.join(' '))
})

t.test('a refused body whose rest is late gets no second response', async (t) => {
  const { url } = await startServer(t, { REQUEST_TIMEOUT_MS: '300' })
  t.match(await sendRaw(t, url, `${headOf('/login', 40_000_000)}\r\nx`), [{ status: 413 }])
  const broken = `${headOf('/login', 'chunked')}\r\nffffff\r\n${'x'.repeat(20_000)}`
  const found = await sendRaw(t, url, broken)
  t.match(found, [{ status: 413 }])
  t.equal(found.length, 1)
})
