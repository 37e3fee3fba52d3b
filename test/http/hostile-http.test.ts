import t, { type Test } from 'tap'
import { dial, rawRequest, replies, sendRaw } from '../support/raw.ts'
import { type Reply, startServer } from '../support/server.ts'

const isProblem = (t: Test, reply: Reply | undefined, status: number, code: string, what: string) => {
  t.match(reply?.headers.get('content-type'), /^application\/problem\+json/, what)
  t.match(
    reply,
    {
      status,
      body: { status, code, type: String, title: String, detail: String, request_id: String },
    },
    what,
  )
}

t.test('an invalid path is refused with a problem', async (t) => {
  const { url, login } = await startServer(t)
  const { token } = await login('alice')
  const get = async (path: string, method = 'GET') => {
    const headers = `Host: x\r\nAuthorization: Bearer ${token}\r\nConnection: close`
    const [reply] = await sendRaw(t, url, `${method} ${path} HTTP/1.1\r\n${headers}\r\n\r\n`)
    return reply
  }
  isProblem(t, await get('/history/%zz'), 400, 'BAD_REQUEST', 'bad percent-encoding')
  isProblem(t, await get('/history/%ff'), 400, 'BAD_REQUEST', 'an encoding of no UTF-8')
  isProblem(t, await get(`/history/${'a'.repeat(3000)}`), 414, 'URI_TOO_LONG', 'a long part')
  isProblem(t, await get(`/${'a'.repeat(40_000)}`), 414, 'URI_TOO_LONG', 'a long address')
  isProblem(t, await get(`/users?${'a'.repeat(40_000)}`), 414, 'URI_TOO_LONG', 'a long query')
  isProblem(t, await get('/nowhere/else'), 404, 'ROUTE_NOT_FOUND', 'no such address')
  const wrong = await get('/send')
  isProblem(t, wrong, 405, 'METHOD_NOT_ALLOWED', 'another method')
  t.equal(wrong?.headers.get('allow'), 'POST')
  for (const [path, method, allow] of [
    ['/login', 'DELETE', 'POST'],
    ['/users/me', 'PUT', 'DELETE, GET, HEAD, PATCH'],
  ] as const) {
    const reply = await get(path, method)
    t.equal(reply?.status, 405)
    t.equal(reply?.headers.get('allow'), allow)
  }
})

t.test('an ambiguous HTTP request gets one 400 and its connection is closed', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const body = JSON.stringify({ receiver_username: 'alice', content: 'smuggled' })
  const send = (headers: string, end = '\r\n') =>
    `POST /send HTTP/1.1${end}Authorization: Bearer ${alice.token}${end}` +
    `Content-Type: application/json${end}${headers}${end}${end}${body}`
  const [length, other] = [`Content-Length: ${body.length}`, `Content-Length: ${body.length - 1}`]
  const hidden = 'GET /users/me HTTP/1.1\r\nHost: x\r\n\r\n'
  for (const [what, bytes] of [
    ['a length and chunks', send(`Host: x\r\n${length}\r\nTransfer-Encoding: chunked`)],
    ['two lengths', send(`Host: x\r\n${length}\r\n${other}`)],
    ['two lengths in one', send(`Host: x\r\nContent-Length: ${body.length}, ${body.length}`)],
    ['a length that is not a number', send('Host: x\r\nContent-Length: 1e2')],
    ['a negative length', send('Host: x\r\nContent-Length: -1')],
    ['an unknown transfer encoding', send('Host: x\r\nTransfer-Encoding: cow')],
    ['lines that end with LF alone', send(`Host: x\n${length}`, '\n')],
    ['no Host', send(length)],
    ['two Hosts', send(`Host: x\r\nHost: y\r\n${length}`)],
    ['a space before the colon', send(`Host : x\r\n${length}`)],
    ['a folded header', send(`Host: x\r\n ${length}\r\n${length}`)],
    ['a NUL in a header', send(`Host: x\r\n${length}\r\nX-Odd: a\0b`)],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003'.repeat(4)],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [
      'an invalid chunk size',
      `${send('Host: x\r\nTransfer-Encoding: chunked').split(body)[0]}xyz\r\n${body}`,
    ],
  ] as const) {
    const found = await sendRaw(t, url, bytes + hidden)
    t.equal(found.length, 1, `${what}: one response`)
    isProblem(t, found[0], 400, 'BAD_REQUEST', what)
    t.equal(found[0]?.headers.get('connection'), 'close')
  }
  t.strictSame(await alice.history('alice'), [], 'nothing was stored')
})

t.test('headers above 16 KiB are 431', async (t) => {
  const { url } = await startServer(t)
  const [reply] = await sendRaw(
    t,
    url,
    `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(20_000)}\r\n\r\n`,
  )
  isProblem(t, reply, 431, 'HEADERS_TOO_LARGE', 'one long header')
  const many = 'X-A: b\r\n'.repeat(3000)
  const [second] = await sendRaw(t, url, `GET /health/live HTTP/1.1\r\nHost: x\r\n${many}\r\n`)
  isProblem(t, second, 431, 'HEADERS_TOO_LARGE', 'many short ones')
  const health = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
  const [, third] = await sendRaw(
    t,
    url,
    `${health}GET /users?usernames=${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  )
  isProblem(t, third, 431, 'HEADERS_TOO_LARGE', 'a long URL on a connection that was used before')
  t.match(third?.body, { detail: /^The URL and the headers .* Shorten the URL, or/ })
})

t.test('a slow client is disconnected at the timeout, and others are served meanwhile', async (t) => {
  const timeout = 300
  const { url, login } = await startServer(t, { REQUEST_TIMEOUT_MS: String(timeout) })
  const alice = await login('alice')
  const start = `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice.token}\r\nContent-Type: application/json\r\n`
  const started = performance.now()
  const slow = await Promise.all([dial(t, url), dial(t, url), dial(t, url)])
  const [headers, body, silent] = slow
  headers.write('POST /send HTTP/1.1\r\nHost: x\r\nX-A')
  body.write(`${start}Content-Length: 60\r\n\r\n{"receiver_username":"alice",`)
  t.equal((await alice.send('alice', 'meanwhile')).content, 'meanwhile')
  isProblem(t, replies(await headers.closed)[0], 408, 'REQUEST_TIMEOUT', 'slow headers')
  isProblem(t, replies(await body.closed)[0], 408, 'REQUEST_TIMEOUT', 'a slow body')
  await silent.closed
  // Node checks once a second. The remaining margin is for a busy machine.
  const late = performance.now() - started - timeout - 1000
  t.ok(late < 5000, `all connections are closed, at most ${late.toFixed(0)} ms after their time`)
  t.equal((await alice.history('alice')).length, 1)
})

t.test('a message is stored at most once if its client disconnects after the body', async (t) => {
  const { app, url, login } = await startServer(t)
  const alice = await login('alice')
  const all = Array.from({ length: 30 }, (_, index) => {
    const body = { receiver_username: 'alice', content: `${index}`, client_id: `k-${index}` }
    return { body, isReset: index % 2 === 0 }
  })
  for (const { body, isReset } of all) {
    const connection = await dial(t, url)
    connection.write(rawRequest('POST', '/send', alice.token, JSON.stringify(body)))
    if (isReset) connection.socket.resetAndDestroy()
    else connection.socket.end()
    await connection.closed
  }
  // Queues behind every write that began before.
  await app.database.writer.append('probe', {})
  const stored = new Set((await alice.history('alice')).map(({ client_id }) => client_id))
  t.equal((await alice.history('alice')).length, stored.size, 'no message is stored twice')
  for (const { body } of all) {
    const isStored = stored.has(body.client_id)
    const { status, headers } = await alice.call('POST', '/send', body)
    t.equal(status, 200)
    t.equal(headers.get('idempotent-replayed'), isStored ? 'true' : null)
  }
  t.strictSame(
    new Set((await alice.history('alice')).map(({ client_id }) => client_id)),
    new Set(all.map(({ body }) => body.client_id)),
    'a retry stores the missing messages',
  )
  t.equal((await alice.history('alice')).length, all.length)
})
