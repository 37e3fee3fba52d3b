import t, { type Test } from 'tap'
import { type Reply, startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { NUMBERS } from '../support/test-database.ts'

const server = await startServer(t, { MAX_MESSAGE_LENGTH: '50' })
const { url, call, login, rows } = server
const alice = await login('alice')
const bob = await login('bob')
await alice.send('bob', 'the only message')

/** The tables that a refused request must not change. */
const state = () =>
  Promise.all(
    ['users', 'conversations', 'members', 'messages', NUMBERS, 'blocks', 'revoked_tokens'].map((table) =>
      rows(`select * from ${table}`),
    ),
  )
const before = await state()
const watchers = await Promise.all([alice.connect(), bob.connect(), bob.connect({ plain: true })])
/** Event frames. A refused request causes none of them. */
const events = () =>
  watchers.flatMap(({ frames }) => frames.filter(({ type }) => type !== 'hello' && type !== 'pong'))
const nothingHappened = async (t: Test) => {
  await watchers[0]?.settle()
  await watchers[1]?.settle()
  t.strictSame(events(), [], 'no event was published')
  t.strictSame(await state(), before, 'no row and no number was written')
}

const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)))

/** @returns a valid body of `/send` with these changes */
const send = (changes: object) => ({ receiver_username: 'bob', content: 'x', ...changes })

/** What is wrong with a body of `/send`, and the field that the error names. */
const invalidSends: [what: string, body: unknown, path: string][] = [
  ['null', 'null', ''],
  ['a list', '[]', ''],
  ['a string', '"x"', ''],
  ['a number', '7', ''],
  ['no members', {}, '/content'],
  ['no receiver', { content: 'x' }, '/receiver_username'],
  ['both receivers', send({ receiver_username: 'bob', conversation_id: 1 }), '/receiver_username'],
  ['no content', { receiver_username: 'bob' }, '/content'],
  ['empty content', send({ content: '' }), '/content'],
  ['content that is a number', send({ content: 7 }), '/content'],
  ['content that is null', send({ content: null }), '/content'],
  ['content that is a list', send({ content: ['x'] }), '/content'],
  ['content that is too long', send({ content: 'x'.repeat(51) }), '/content'],
  ['too many emoji', send({ content: '\u{1f600}'.repeat(51) }), '/content'],
  ['a lone high surrogate', '{"receiver_username":"bob","content":"\\ud800"}', '/content'],
  ['a lone low surrogate', '{"receiver_username":"bob","content":"\\udc00 x"}', '/content'],
  ['U+0000', '{"receiver_username":"bob","content":"a\\u0000b"}', '/content'],
  ['a receiver that is a number', send({ receiver_username: 7 }), '/receiver_username'],
  ['a receiver that is null', send({ receiver_username: null }), '/receiver_username'],
  ['an empty receiver', send({ receiver_username: '' }), '/receiver_username'],
  ['an invalid receiver', send({ receiver_username: 'a b' }), '/receiver_username'],
  ['a receiver that is too long', send({ receiver_username: 'x'.repeat(65) }), '/receiver_username'],
  ['a receiver that is far too long', send({ receiver_username: 'x'.repeat(600) }), '/receiver_username'],
  [
    'a receiver with half a surrogate pair',
    '{"receiver_username":"\\ud800","content":"x"}',
    '/receiver_username',
  ],
  ['a conversation id that is a string', { conversation_id: '1', content: 'x' }, '/conversation_id'],
  ['conversation 0', { conversation_id: 0, content: 'x' }, '/conversation_id'],
  ['conversation 1.5', { conversation_id: 1.5, content: 'x' }, '/conversation_id'],
  ['a conversation id above 2^53', '{"conversation_id":9007199254740993,"content":"x"}', '/conversation_id'],
  ['an unknown member', send({ extra: 1 }), '/extra'],
  ['a sender', send({ sender_id: 2 }), '/sender_id'],
  ['an empty key', send({ client_id: '' }), '/client_id'],
  ['a key that is too long', send({ client_id: 'k'.repeat(65) }), '/client_id'],
  ['a key outside ASCII', send({ client_id: 'ü' }), '/client_id'],
  ['a key with a control character', send({ client_id: 'a\n' }), '/client_id'],
  ['a key that is a number', send({ client_id: 7 }), '/client_id'],
  ['a reply to message 0', send({ reply_to: 0 }), '/reply_to'],
  ['metadata that is a string', send({ metadata: 'm' }), '/metadata'],
  ['metadata that is a list', send({ metadata: [] }), '/metadata'],
  [
    'metadata with a number that is too large',
    '{"receiver_username":"bob","content":"x","metadata":{"m":[{"n":1e999}]}}',
    '/metadata',
  ],
  [
    'metadata with a number that is too small',
    '{"receiver_username":"bob","content":"x","metadata":{"m":-1e999}}',
    '/metadata',
  ],
  ['metadata that is too large', send({ metadata: { m: 'x'.repeat(1017) } }), '/metadata'],
  ['metadata with too many bytes', send({ metadata: { m: 'ü'.repeat(509) } }), '/metadata'],
  [
    'metadata with half a surrogate pair',
    '{"receiver_username":"bob","content":"x","metadata":{"m":"\\ud800"}}',
    '/metadata',
  ],
  [
    'metadata with U+0000 in a key',
    '{"receiver_username":"bob","content":"x","metadata":{"a":[{"b\\u0000":1}]}}',
    '/metadata',
  ],
]

const badSends: [what: string, body: unknown, code: string, path?: string][] = [
  ['text that is not JSON', 'hello', 'INVALID_JSON'],
  ['JSON cut short', '{"receiver_username":"bob","content":"x', 'INVALID_JSON'],
  ['two values', '{} {}', 'INVALID_JSON'],
  ['a trailing comma', '{"receiver_username":"bob","content":"x",}', 'INVALID_JSON'],
  ['only spaces', '   ', 'INVALID_JSON'],
  ['a __proto__ key', '{"__proto__":{},"receiver_username":"bob","content":"x"}', 'INVALID_JSON'],
  ['an unknown receiver', send({ receiver_username: 'nobody' }), 'USER_NOT_FOUND', '/receiver_username'],
  [
    'an unknown conversation',
    { conversation_id: 999, content: 'x' },
    'CONVERSATION_NOT_FOUND',
    '/conversation_id',
  ],
  ['a reply to an unknown message', send({ reply_to: 999 }), 'MESSAGE_NOT_FOUND', '/reply_to'],
  ...invalidSends.map(([what, body, path]): [string, unknown, string, string] => [
    what,
    body,
    'VALIDATION_FAILED',
    path,
  ]),
]

const statusOf: Record<string, number> = {
  USER_NOT_FOUND: 404,
  CONVERSATION_NOT_FOUND: 404,
  MESSAGE_NOT_FOUND: 404,
}

t.test('an invalid send over HTTP is refused with code and field, and changes nothing', async (t) => {
  for (const [what, body, code, path] of badSends) {
    const reply = await alice.call('POST', '/send', body)
    const status = statusOf[code] ?? 400
    t.match(
      reply.body,
      { code, status, request_id: /./, ...(path !== undefined && { errors: [{ path }] }) },
      what,
    )
    t.equal(reply.status, status, what)
    t.match(reply.headers.get('content-type'), 'application/problem+json')
  }
  await nothingHappened(t)
})

t.test('an invalid send over a socket is refused with the same code and field', async (t) => {
  let socket = await alice.connect()
  for (const [index, [what, body, code, path]] of badSends.entries()) {
    // The tenth bad frame within a minute closes the socket.
    if (index % 8 === 7) socket = await alice.connect()
    socket.send(typeof body === 'string' ? body : JSON.stringify(body))
    const error = await socket.wait('error', () => true, socket.frames.length)
    const status = statusOf[code] ?? 400
    t.match(
      error.problem,
      { code, status, request_id: /./, ...(path !== undefined && { errors: [{ path }] }) },
      what,
    )
    t.equal(error.retryable, false)
  }
  await nothingHappened(t)
})

t.test('a plain socket receives an error for each invalid frame and stays open', async (t) => {
  const socket = await alice.connect({ plain: true })
  for (const [frame, code] of [
    ['hello', 'INVALID_JSON'],
    ['[]', 'VALIDATION_FAILED'],
    ['{"content":"x"}', 'VALIDATION_FAILED'],
    ['{"receiver_username":"bob"}', 'VALIDATION_FAILED'],
    ['{"receiver_username":"nobody","content":"x"}', 'USER_NOT_FOUND'],
    ['{"type":"ping"}', 'UNKNOWN_FRAME'],
    ['{"type":"nonsense"}', 'UNKNOWN_FRAME'],
  ] as const) {
    socket.send(frame)
    t.match(await socket.next(), { type: 'error', retryable: false, problem: { code } }, frame)
  }
  await nothingHappened(t)
})

t.test('an invalid frame is refused with code and field', async (t) => {
  const socket = await alice.connect()
  for (const [frame, code, path] of [
    [{ type: 'nonsense' }, 'UNKNOWN_FRAME'],
    [{ type: 7 }, 'UNKNOWN_FRAME'],
    [{ type: 'toString' }, 'UNKNOWN_FRAME'],
    [{ type: 'ping', extra: 1 }, 'VALIDATION_FAILED', '/extra'],
    [{ type: 'auth' }, 'VALIDATION_FAILED', '/token'],
    [{ type: 'edit', message_id: 1 }, 'VALIDATION_FAILED', '/content'],
    [{ type: 'watch', usernames: 'bob' }, 'VALIDATION_FAILED', '/usernames'],
  ] as const) {
    t.match(
      await socket.request(frame),
      { type: 'error', problem: { code, ...(path && { errors: [{ path }] }) } },
      JSON.stringify(frame),
    )
  }
  for (const id of [7, 'x'.repeat(65), null]) {
    socket.send({ type: 'ping', id })
    const error = await socket.wait('error', () => true, socket.frames.length)
    t.match(error, { problem: { code: 'VALIDATION_FAILED', errors: [{ path: '/id' }] } })
    t.notOk('id' in error, 'an invalid id is not echoed')
  }
  await nothingHappened(t)
})

t.test('a body that is not UTF-8 is refused and not repaired', async (t) => {
  const bodies = [
    bytes('{"receiver_username":"bob","content":"', [0xff], '"}'),
    bytes('{"receiver_username":"bob","content":"', [0xed, 0xa0, 0x80], '"}'),
    bytes('{"receiver_username":"bob","content":"', [0xc3], '"}'),
    bytes([0xff, 0xfe], '{}'),
  ]
  for (const body of bodies) {
    t.match(await alice.call('POST', '/send', body), { status: 400, body: { code: 'INVALID_JSON' } })
  }
  await nothingHappened(t)
})

t.test('an empty or missing body is refused with the missing member', async (t) => {
  for (const path of ['/send', '/login']) {
    for (const body of [undefined, '']) {
      const headers = { 'content-type': 'application/json' }
      const { token } = alice
      const reply = await call('POST', path, { token, headers, ...(body !== undefined && { body }) })
      t.match(reply, { status: 400, body: { code: 'VALIDATION_FAILED' } })
    }
  }
  await nothingHappened(t)
})

t.test('an invalid login is refused with the field', async (t) => {
  for (const [body, code, path] of [
    ['{', 'INVALID_JSON'],
    [[], 'VALIDATION_FAILED', ''],
    [{}, 'VALIDATION_FAILED', '/username'],
    [{ username: 7 }, 'VALIDATION_FAILED', '/username'],
    [{ username: null }, 'VALIDATION_FAILED', '/username'],
    [{ username: ['x'] }, 'VALIDATION_FAILED', '/username'],
    [{ username: 'new', extra: true }, 'VALIDATION_FAILED', '/extra'],
    [{ username: 'new', password: '' }, 'VALIDATION_FAILED', '/password'],
    [{ username: 'new', password: 7 }, 'VALIDATION_FAILED', '/password'],
    [{ username: 'new', password: 'x'.repeat(257) }, 'VALIDATION_FAILED', '/password'],
    ['{"username":"new","password":"\\ud800"}', 'VALIDATION_FAILED', '/password'],
    ['{"username":"new\\ud800"}', 'VALIDATION_FAILED', '/username'],
    [{ username: '\u2460' }, 'VALIDATION_FAILED', '/username'],
    [{ username: 'x'.repeat(513) }, 'VALIDATION_FAILED', '/username'],
  ] as const) {
    const reply = await call('POST', '/login', {
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    t.match(
      reply,
      { status: 400, body: { code, ...(path !== undefined && { errors: [{ path }] }) } },
      JSON.stringify(body),
    )
  }
  await nothingHappened(t)
})

t.test('an invalid page parameter is refused with its name', async (t) => {
  for (const [query, path] of [
    ['limit=0', '/limit'],
    ['limit=-1', '/limit'],
    ['limit=1001', '/limit'],
    ['limit=x', '/limit'],
    ['limit=', '/limit'],
    ['limit=1.5', '/limit'],
    ['limit=1&limit=2', '/limit'],
    ['before=0', '/before'],
    ['before=x', '/before'],
    ['before=-5', '/before'],
    ['before=99999999999999999999', '/before'],
    ['after=x', '/after'],
    ['after=-1', '/after'],
    ['after=NaN', '/after'],
    ['before=2&after=1', '/after'],
    ['offset=1', '/offset'],
  ] as const) {
    const reply = await alice.call('GET', `/history/bob?${query}`)
    t.match(reply, { status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path }] } }, query)
  }
})

t.test('the history with an unknown or invalid user is refused', async (t) => {
  for (const [name, status, code] of [
    ['nobody', 404, 'USER_NOT_FOUND'],
    ['a%20b', 400, 'VALIDATION_FAILED'],
    ['%00', 400, 'VALIDATION_FAILED'],
    ['x'.repeat(65), 400, 'VALIDATION_FAILED'],
    ['x'.repeat(600), 400, 'VALIDATION_FAILED'],
    ['%F0%9F%98%80', 400, 'VALIDATION_FAILED'],
    ["'%20or%201=1--", 400, 'VALIDATION_FAILED'],
    ['', 400, 'VALIDATION_FAILED'],
  ] as const) {
    const reply: Reply<unknown> = await alice.call('GET', `/history/${name}`)
    t.match(reply, { status, body: { code, errors: [{ path: /username$/ }] } }, name)
  }
})

t.test('a name, a prefix or a cursor with U+0000 is that of nobody, in every request', async (t) => {
  const group = await alice.createGroup('group', ['bob'])
  const refused = { status: 400, body: { code: 'VALIDATION_FAILED' } }
  for (const [method, path, body] of [
    ['GET', '/history/bob%00', undefined],
    ['PUT', '/blocks/bob%00', undefined],
    ['PUT', `/groups/${group.id}/members/bob%00`, undefined],
    ['POST', '/groups', { title: 'x', members: ['bob\0'] }],
    ['POST', '/send', { receiver_username: 'bob\0', content: 'x' }],
    ['POST', '/login', { username: 'bob\0' }],
    ['GET', '/conversations?before=1%00.1', undefined],
  ] as const) {
    t.match(await alice.call<unknown>(method, path, body), refused, `${method} ${path}`)
  }
  t.match(await alice.call('GET', '/users?prefix=b%00'), { status: 200, body: { users: [] } })
  t.match(await alice.call<unknown>('GET', '/sync?cursor=%00'), {
    status: 410,
    body: { code: 'CURSOR_UNKNOWN' },
  })
  const socket = await alice.connect()
  t.match(await socket.request({ type: 'watch', usernames: ['bob\0'] }), { type: 'ack' })
  t.match(await socket.request({ type: 'typing', receiver_username: 'bob\0' }), { type: 'error' })
})

t.test('a handshake with an unknown query parameter is refused', async (t) => {
  const reply = await refusedHandshake(`${url}/ws?token=x`, { authorization: `Bearer ${alice.token}` })
  t.match(reply, {
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: '/token' }] },
  })
})

t.test('values at the limits are accepted and returned byte for byte', async (t) => {
  const contents = [
    'x'.repeat(50),
    '\u{1f600}'.repeat(50),
    ' ',
    '\n\t\u0001\u007f\u2028\ufeff\uffff',
    'e\u0301 \u00e9',
    '"\\/</script>',
    "'; drop table messages; --",
    '\u202e\u200f',
  ]
  const socket = await alice.connect()
  for (const content of contents) {
    t.equal((await alice.send('BOB', content)).content, content)
    const reply = await socket.request({ receiver_username: 'bob', content })
    t.match(reply, { type: 'ack', message: { content, receiver: 'bob' } })
  }
  const got = (await bob.history('alice')).map(({ content }) => content).slice(1)
  t.strictSame(
    got,
    contents.flatMap((content) => [content, content]),
  )
  const metadata = { m: 'x'.repeat(1016) }
  t.strictSame((await alice.send('bob', 'x', { metadata, client_id: ' ~'.repeat(32) })).metadata, metadata)
  t.match(
    await alice.send('alice', 'a note'),
    { sender: 'alice', receiver: 'alice' },
    'a user can send messages to themselves',
  )
})
