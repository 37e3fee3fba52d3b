import * as fc from 'fast-check'
import t from 'tap'
import { errors } from '../../src/errors.ts'
import { dial, replies } from '../support/raw.ts'
import { call, type Reply, startServer } from '../support/server.ts'
import { receiptsPublished } from '../support/stream.ts'
import { digestOf, onPostgres } from '../support/test-database.ts'

const RUNS = Number(process.env.PROPERTY_RUNS ?? (onPostgres ? 60 : 150))

const server = await startServer(t, { RATE_LIMIT_LOGIN: '0', RATE_LIMIT_SEND: '0' })
const { app, url } = server
const alice = await server.login('alice')
const bob = await server.login('bob')
const { conversation_id } = await bob.send('alice', 'unread message')
await alice.createGroup('all', ['bob'])

const state = async () => {
  // Receipts of earlier requests are published after at most one second.
  await receiptsPublished(app)
  return digestOf(server.folder)
}

const problemOf = ({ status, body, headers }: Reply) => {
  const { code, status: member, detail, title, request_id } = body as Record<string, unknown>
  return (
    headers.get('content-type')?.startsWith('application/problem+json') &&
    typeof code === 'string' &&
    code in errors &&
    errors[code as keyof typeof errors].status === status &&
    member === status &&
    [detail, title, request_id].every((text) => typeof text === 'string')
  )
}

/** Every request gets a success or a valid problem, a refusal changes nothing, and there is no internal error. */
const holds = async (request: () => Promise<readonly Reply[]>) => {
  const before = await state()
  const replies = await request()
  const report = replies.map(({ status, body }) => `${status} ${JSON.stringify(body)}`).join(', then ')
  for (const reply of replies) {
    if (reply.status >= 500) throw new Error(`an internal error: ${report}`)
    if (reply.status >= 400 && !problemOf(reply)) throw new Error(`not a valid problem: ${report}`)
  }
  if (replies.some(({ status }) => status >= 200 && status < 400)) return
  if (before !== (await state())) throw new Error(`changed by ${report}`)
}

const check = async (property: fc.IAsyncProperty<[never]> | fc.IAsyncProperty<never>) =>
  fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: RUNS })

const text = fc.string({ unit: 'binary', maxLength: 80 })
const name = fc.oneof(fc.constantFrom('alice', 'bob', 'BOB', 'nobody', '', '__proto__', 'constructor'), text)
const id = fc.oneof(
  fc.constantFrom(0, 1, 2, conversation_id, -1, 1.5, Number.MAX_SAFE_INTEGER, 2 ** 53, 1e300),
  fc.nat(),
)
const anything = fc.oneof(fc.jsonValue(), text, id, fc.constant(null))
/** Mostly values of the right type, so that many requests pass validation. */
const mostly = (right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 6, arbitrary: right }, { weight: 1, arbitrary: anything })
const key = fc.oneof(fc.constantFrom('k1', 'k2'), text)
const metadata = fc.dictionary(text, fc.jsonValue(), { maxKeys: 4 })
const sendMembers = {
  receiver_username: mostly(name),
  conversation_id: mostly(id),
  content: mostly(text),
  client_id: mostly(key),
  reply_to: mostly(id),
  metadata: mostly(metadata),
}
const members = {
  ...sendMembers,
  username: mostly(name),
  password: mostly(text),
  title: mostly(text),
  members: mostly(fc.array(name, { maxLength: 4 })),
  delivered_up_to: mostly(id),
  read_up_to: mostly(id),
  sender: anything,
}
/** A send with all required members and some optional ones. */
const sends = fc.record(
  {
    receiver_username: mostly(fc.constantFrom('alice', 'Bob', 'nobody')),
    content: mostly(text),
    client_id: mostly(key),
    reply_to: mostly(id),
    metadata: mostly(metadata),
  },
  { requiredKeys: ['receiver_username', 'content'] },
)
const some = (of: Record<string, fc.Arbitrary<unknown>>) => fc.record(of, { requiredKeys: [] })

t.test('random bodies get a valid response from every operation with a body', async () => {
  const calls = fc.constantFrom(
    ['POST', '/login'],
    ['POST', '/send'],
    ['POST', '/groups'],
    ['PATCH', '/groups/2'],
    ['PUT', `/conversations/${conversation_id}/receipt`],
    ['PATCH', `/messages/${conversation_id + 1}`],
    ['POST', '/token'],
    ['DELETE', '/blocks/bob'],
  )
  const body = fc.oneof(
    { weight: 5, arbitrary: some(members).map((value) => JSON.stringify(value)) },
    { weight: 3, arbitrary: sends.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: text },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  )
  await check(
    fc.asyncProperty(calls, body, ([method = '', path = ''], given) =>
      holds(async () => [await call(url, method, path, { token: alice.token, body: given })]),
    ) as never,
  )
})

t.test('random paths and queries get a valid response', async () => {
  const value = fc.oneof(
    text,
    fc.integer().map(String),
    fc.constantFrom('1e3', '0x10', '1.0', ' 1', '-1', 'true', ''),
  )
  const query = fc
    .array(fc.tuple(fc.constantFrom('limit', 'before', 'after', 'cursor', 'prefix', 'wait', 'x'), value), {
      maxLength: 3,
    })
    .map((pairs) =>
      pairs
        .filter(([member]) => member !== 'wait')
        .map(([member, given]) => `${member}=${encodeURIComponent(given.toWellFormed())}`)
        .join('&'),
    )
  const segment = fc.oneof(
    name.map((given) => encodeURIComponent(given.toWellFormed())),
    value.map((given) => encodeURIComponent(given.toWellFormed())),
    fc.constantFrom('%', '%2e%2e', '%00', '..', '%ff', 'a%2Fb'),
  )
  const path = fc.oneof(
    segment.map((part) => `/history/${part}`),
    segment.map((part) => `/conversations/${part}`),
    segment.map((part) => `/conversations/${part}/messages`),
    segment.map((part) => `/messages/${part}`),
    segment.map((part) => `/groups/${part}/members/${part}`),
    segment.map((part) => `/blocks/${part}`),
    segment.map((part) => `/${part}`),
    fc.constantFrom('/sync', '/users', '/conversations', '/ws', '/blocks', '/'),
  )
  const method = fc.constantFrom('GET', 'GET', 'GET', 'PUT', 'PATCH', 'OPTIONS')
  await check(
    fc.asyncProperty(method, path, query, (verb, address, search) =>
      holds(async () => {
        const reply = await fetch(`${url}${address}?${search}`, {
          method: verb,
          headers: { authorization: `Bearer ${alice.token}` },
        })
        const body = await reply.text()
        const isJson = reply.headers.get('content-type')?.includes('json')
        return [{ status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(body) : body }]
      }),
    ) as never,
  )
})

t.test('random headers get a valid response', async () => {
  const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 200 })
  const names = fc.constantFrom(
    'authorization',
    'content-type',
    'idempotency-key',
    'origin',
    'accept',
    'x-forwarded-for',
    'cookie',
    'if-none-match',
    'range',
    'x-request-id',
  )
  await check(
    fc.asyncProperty(fc.dictionary(names, ascii), (headers) =>
      holds(async () => [
        await call(url, 'POST', '/send', {
          token: alice.token,
          body: { receiver_username: 'alice', content: 'x' },
          headers,
        }),
      ]),
    ) as never,
  )
})

t.test('random framing and connection headers get a valid response', async (t) => {
  const body = JSON.stringify({ receiver_username: 'alice', content: 'x' })
  const odd = fc.string({ unit: 'grapheme-ascii', maxLength: 20 })
  const values: Record<string, string[]> = {
    'Content-Length': [`${body.length}`, '0', '1', '1000', '-1', '0x10', '1e3', ' ', '99999999999999999999'],
    'Transfer-Encoding': ['chunked', 'Chunked', 'identity', 'gzip, chunked', 'chunked, chunked', 'xchunked'],
    Connection: ['close', 'keep-alive', 'Upgrade', 'close, Upgrade', 'Content-Length'],
    Upgrade: ['websocket', 'WebSocket', 'h2c', 'websocket, h2c'],
    Expect: ['100-continue', '200-ok'],
    Host: ['x', '', 'x:y', 'x, y'],
    TE: ['trailers', 'chunked'],
    Trailer: ['Content-Length'],
    'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'x'],
    'Sec-WebSocket-Version': ['13', '8'],
    'Sec-WebSocket-Protocol': ['messenger.v1', 'bearer.x'],
  }
  const header = fc
    .constantFrom(...Object.keys(values))
    .chain((member) =>
      fc
        .oneof({ weight: 4, arbitrary: fc.constantFrom(...(values[member] as string[])) }, odd)
        .map((value) => `${member}: ${value}`),
    )
  const request = fc.record({
    line: fc.constantFrom('POST /send', 'POST /send', 'GET /ws', 'GET /users/me', 'OPTIONS /send'),
    headers: fc.array(header, { maxLength: 6 }),
    isComplete: fc.boolean(),
  })
  const seen = new Set<number>()
  await check(
    fc.asyncProperty(request, ({ line, headers, isComplete }) =>
      holds(async () => {
        const connection = await dial(t, url)
        const usual = [`Authorization: Bearer ${alice.token}`, 'Content-Type: application/json']
        if (isComplete) usual.push('Host: x', `Content-Length: ${body.length}`)
        connection.write(`${line} HTTP/1.1\r\n${[...usual, ...headers].join('\r\n')}\r\n\r\n${body}`)
        // After these calls a complete request has its reply. The server still waits for the rest of an incomplete one.
        await call(url, 'GET', '/health/live')
        await app.database.writer.append('probe', {})
        await call(url, 'GET', '/health/live')
        connection.socket.end()
        const found = replies(await connection.closed)
        for (const { status } of found) seen.add(status)
        return found
      }),
    ) as never,
  )
  t.ok(seen.size > 3, [...seen].join(', '))
})

t.test(
  'each random frame gets one reply with its id, and only ten bad frames close the socket',
  async (t) => {
    const frameId = mostly(fc.string({ unit: 'binary', maxLength: 70 }))
    const types = fc.constantFrom(
      'send',
      'edit',
      'delete',
      'receipt',
      'typing',
      'watch',
      'auth',
      'ping',
      'hello',
      '__proto__',
      'constructor',
      'toString',
    )
    const frame = fc.oneof(
      {
        weight: 6,
        arbitrary: some({
          id: frameId,
          type: mostly(types),
          ...members,
          message_id: mostly(id),
          usernames: mostly(fc.array(name, { maxLength: 3 })),
          token: mostly(text),
        }).map((value) => JSON.stringify(value)),
      },
      {
        weight: 3,
        arbitrary: fc.tuple(frameId, sends).map(([id, value]) => JSON.stringify({ id, ...value })),
      },
      {
        weight: 2,
        arbitrary: fc
          .record({ id: frameId, type: fc.constantFrom('edit', 'delete'), message_id: id, content: text })
          .map(({ id, type, message_id, content }) =>
            JSON.stringify({ id, type, message_id, ...(type === 'edit' && { content }) }),
          ),
      },
      {
        weight: 2,
        arbitrary: fc
          .record({ id: frameId, type: fc.constantFrom('receipt', 'typing'), conversation_id: id })
          .map((value) => JSON.stringify({ ...value, ...(value.type === 'receipt' && { read_up_to: 1 }) })),
      },
      { weight: 1, arbitrary: fc.json() },
      { weight: 1, arbitrary: text },
    )
    /** @returns the `id` that the reply to a frame must have, undefined if the frame has no valid one. */
    const idOf = (given: string): string | undefined => {
      try {
        const { id } = JSON.parse(given) ?? {}
        return typeof id === 'string' && [...id].length <= 64 ? id : undefined
      } catch {
        return undefined
      }
    }
    let socket = await alice.connect()
    let bad = 0
    const seen = new Set<string>()
    await check(
      fc.asyncProperty(frame, async (given) => {
        const before = await state()
        const from = socket.frames.length
        socket.send(given)
        const pong = await socket.request({ type: 'ping' }).catch(() => undefined)
        // Replies that wait for the disk follow the pong.
        await app.database.writer.append('probe', {})
        if (pong) await socket.request({ type: 'ping' }).catch(() => undefined)
        const replies = socket.frames
          .slice(from)
          .filter((reply) => reply.type === 'ack' || reply.type === 'error' || reply.type === 'pong')
          .filter(({ id }) => !id?.startsWith('request-'))
        const report = `${given}: ${JSON.stringify(replies)}`
        const isTyping = /"type":"typing"/.test(given)
        if (isTyping ? replies.length > 1 : replies.length !== 1)
          throw new Error(`not answered exactly once: ${report}`)
        for (const reply of replies) {
          if (reply.id !== idOf(given)) throw new Error(`wrong id: ${report}`)
          seen.add(reply.type === 'error' ? reply.problem.code : reply.type)
          if (reply.type !== 'error') continue
          const { status, code } = reply.problem
          if (status >= 500 || !(code in errors)) throw new Error(report)
          if (before !== (await state())) throw new Error(`changed by ${report}`)
          if (status === 400) bad += 1
        }
        if (socket.socket.readyState === socket.socket.OPEN) return
        const { code } = await socket.closed
        if (code !== 4400 || bad !== 10) throw new Error(`closed with ${code} after ${bad} bad frames`)
        bad = 0
        socket = await alice.connect()
      }) as never,
    )
    t.ok(seen.size > 3, [...seen].join(', '))
  },
)

t.test('the server is ready and its messages are unchanged afterwards', async (t) => {
  t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  t.match(await bob.history('alice', '?limit=1000'), [{ content: 'unread message' }])
})
