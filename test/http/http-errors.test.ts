import { readdirSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { StorageError } from '../../db/errors.ts'
import { closeCodes } from '../../src/close-codes.ts'
import { type ErrorCode, errors } from '../../src/errors.ts'
import { dial, sendRaw } from '../support/raw.ts'
import { type Reply, startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'

const server = await startServer(t)
const { url, call, login } = server
const alice = await login('alice')
const authorization = `Bearer ${alice.token}`

type ErrorReply = Pick<Reply, 'headers' | 'body'> & { status: number | undefined }

/** The shape of every error: RFC 9457, with a code of the table and no internal detail. */
const isProblem = (t: Test, reply: ErrorReply | undefined, code: ErrorCode, what: string = code) => {
  t.match(reply?.headers.get('content-type'), /^application\/problem\+json/, what)
  t.equal(reply?.status, errors[code].status, what)
  t.match(
    reply?.body,
    {
      type: `urn:messenger:problem:${code.toLowerCase().replaceAll('_', '-')}`,
      title: errors[code].title,
      status: errors[code].status,
      detail: /^[A-Z].*\.$|^\//,
      code,
      request_id: /./,
    },
    what,
  )
}

t.test('an unknown path is 404', async (t) => {
  for (const path of ['/nothing', '/history', '/send/', '/Send', '/history/a/b', '//', '/users/me/']) {
    isProblem(t, await call('GET', path), 'ROUTE_NOT_FOUND', path)
  }
  isProblem(t, await call('POST', '/nothing', { body: {} }), 'ROUTE_NOT_FOUND')
})

t.test('an unsupported method is 405 with Allow', async (t) => {
  for (const [method, path, allow] of [
    ['GET', '/login', 'POST'],
    ['DELETE', '/send', 'POST'],
    ['POST', '/history/alice', 'GET, HEAD'],
    ['PUT', '/ws', 'GET, HEAD'],
    ['PATCH', '/health/live', 'GET, HEAD'],
    ['POST', '/messages/1', 'DELETE, PATCH'],
    ['OPTIONS', '/send', 'POST'],
  ] as const) {
    const reply = await call(method, path, { ...(method !== 'GET' && { body: {} }) })
    isProblem(t, reply, 'METHOD_NOT_ALLOWED', `${method} ${path}`)
    t.equal(reply.headers.get('allow'), allow)
  }
  const [trace] = await sendRaw(t, url, 'TRACE /send HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  isProblem(t, trace, 'METHOD_NOT_ALLOWED', 'TRACE')
})

t.test('an unsupported content type is 415', async (t) => {
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'nonsense', '']) {
    const reply = await alice.call('POST', '/send', 'x', { 'content-type': type })
    isProblem(t, reply, 'UNSUPPORTED_MEDIA_TYPE', type)
  }
  const reply = await alice.call('POST', '/send', '{}', { 'content-type': 'application/json; charset=utf-8' })
  isProblem(t, reply, 'VALIDATION_FAILED')
})

t.test('a body above the limit is 413', async (t) => {
  const body = JSON.stringify({ receiver_username: 'alice', content: 'x'.repeat(1_048_577) })
  isProblem(t, await alice.call('POST', '/send', body), 'PAYLOAD_TOO_LARGE')
  const [announced] = await sendRaw(
    t,
    url,
    `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\nConnection: close\r\n\r\n`,
  )
  isProblem(t, announced, 'PAYLOAD_TOO_LARGE', 'seen by its length')
})

t.test('an invalid URL is 400', async (t) => {
  for (const path of ['/history/%', '/history/%zz', '/history/%ff', '/%E0%A4%A']) {
    isProblem(t, await call('GET', path, { headers: { authorization } }), 'BAD_REQUEST', path)
  }
  isProblem(
    t,
    await call('GET', `/history/${'x'.repeat(3000)}`, { headers: { authorization } }),
    'URI_TOO_LONG',
  )
})

t.test('bytes that are not HTTP are answered with a problem', async (t) => {
  const end = '\r\nHost: x\r\nConnection: close\r\n\r\n'
  for (const [request, code] of [
    ['hello\r\n\r\n', 'BAD_REQUEST'],
    ['FOO / HTTP/1.1\r\n\r\n', 'BAD_REQUEST'],
    ['GET / HTTP/7.0\r\n\r\n', 'BAD_REQUEST'],
    [`GET /health/live HTTP/1.1\r\nX: ${'x'.repeat(17_000)}${end}`, 'HEADERS_TOO_LARGE'],
    [`GET /health/live HTTP/1.1\r\nBad Header: 1${end}`, 'BAD_REQUEST'],
    [`POST /login HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3${end}`, 'BAD_REQUEST'],
    [`POST /login HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked${end}`, 'BAD_REQUEST'],
    [
      `POST /login HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked${end}zz\r\n`,
      'BAD_REQUEST',
    ],
    ['GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n', 'BAD_REQUEST'],
    [`POST /login HTTP/1.1\r\nExpect: miracles${end}`, 'BAD_REQUEST'],
    [`CONNECT example.org:443 HTTP/1.1${end}`, 'METHOD_NOT_ALLOWED'],
  ] as const) {
    const [reply] = await sendRaw(t, url, request)
    isProblem(t, reply, code, request.slice(0, 40))
  }
})

t.test('a request that does not arrive in time is 408', async (t) => {
  const { url } = await startServer(t, { REQUEST_TIMEOUT_MS: '500' })
  const partial =
    'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n'
  const replies = await Promise.all(
    [partial, `${partial}\r\n{"user`].map((request) => sendRaw(t, url, request)),
  )
  for (const [reply] of replies) isProblem(t, reply, 'REQUEST_TIMEOUT')
})

t.test('a client that resets its connection leaves no error', async (t) => {
  const connection = await dial(t, url)
  connection.write('POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n')
  connection.socket.resetAndDestroy()
  t.equal((await call('GET', '/health/live')).status, 200)
})

t.test('an invalid handshake is refused with a problem', async (t) => {
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket' }
  const handshake = async (headers: Record<string, string>, path = '/ws') => {
    const lines = Object.entries({ host: 'x', authorization, ...upgrade, ...headers }).map((pair) =>
      pair.join(': '),
    )
    const [reply] = await sendRaw(t, url, `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    return reply
  }
  const key = { 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'sec-websocket-version': '13' }
  isProblem(t, await handshake({}), 'BAD_REQUEST', 'without a key')
  isProblem(t, await handshake({ ...key, 'sec-websocket-key': 'x' }), 'BAD_REQUEST', 'with a bad key')
  isProblem(t, await handshake({ ...key, 'sec-websocket-version': '7' }), 'BAD_REQUEST', 'of an old version')
  isProblem(t, await handshake({ ...key, authorization: 'x' }), 'UNAUTHORIZED')
  isProblem(t, await handshake(key, '/nothing'), 'ROUTE_NOT_FOUND')
  isProblem(t, await handshake(key, '/users/me'), 'BAD_REQUEST', 'where no socket is')
  isProblem(t, await handshake(key, '/ws?cursor=x'), 'VALIDATION_FAILED', 'a cursor on a plain socket')
  const plain = await call('GET', '/ws')
  isProblem(t, plain, 'UPGRADE_REQUIRED')
  t.equal(plain.headers.get('upgrade'), 'websocket')
})

t.test('an upgrade to another protocol is ignored', async (t) => {
  const body = JSON.stringify({ username: 'alice' })
  const [reply] = await sendRaw(
    t,
    url,
    `POST /login HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  t.match(reply, { status: 200, body: { user: { username: 'alice' } } })
})

t.test('a socket above the limit is refused with Retry-After', async (t) => {
  const { url, login } = await startServer(t, { MAX_SOCKETS: '1' })
  const bob = await login('bob')
  await bob.connect()
  const reply = await refusedHandshake(`${url}/ws`, { authorization: `Bearer ${bob.token}` })
  t.match(reply, { status: 503, headers: { 'retry-after': '5' }, body: { code: 'OVERLOADED' } })
})

t.test('an internal error reveals no detail over HTTP and the socket', async (t) => {
  const { app, login } = await startServer(t)
  const bob = await login('bob')
  const socket = await bob.connect()
  const { append } = app.database.writer
  const send = { receiver_username: 'bob', content: 'x' }
  for (const [cause, code, detail] of [
    [new TypeError('a secret of the inside'), 'INTERNAL', /logged/],
    [new StorageError('operation', 'no such column: secret'), 'INTERNAL', /logged/],
    [new StorageError('full', 'database or disk is full: /secret'), 'STORAGE_UNAVAILABLE', /disk is full/],
    [new StorageError('busy', 'secret'), 'STORAGE_UNAVAILABLE', /try again/i],
  ] as const) {
    app.database.writer.append = () => Promise.reject(cause)
    const reply = await bob.call('POST', '/send', send)
    isProblem(t, reply, code)
    t.match(reply.body.detail, detail)
    t.notMatch(JSON.stringify(reply.body), 'secret')
    const error = await socket.request(send)
    t.match(error, { type: 'error', retryable: true, problem: { code } })
    t.notMatch(JSON.stringify(error), 'secret')
    if (code === 'STORAGE_UNAVAILABLE') {
      t.equal(reply.headers.get('retry-after'), '1')
      isProblem(t, await bob.call('GET', '/health/ready'), 'STORAGE_UNAVAILABLE', 'the server is not ready')
    }
  }
  app.database.writer.append = append
  t.equal((await bob.send('bob', 'x')).status, 'sent')
  t.match(await bob.call('GET', '/health/ready'), { status: 200, body: { status: 'ok' } })
  t.match(await bob.call('GET', '/health/live'), { status: 200, body: { status: 'ok' } })
})

t.test('every error code of the table is used, and no other code is sent', async (t) => {
  const folders = ['db', 'plugins', 'schemas', 'src']
  const text = folders
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.name.endsWith('.ts') && entry.name !== 'errors.ts')
        .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8')),
    )
    .concat(readFileSync('src/errors.ts', 'utf8').split('export const errorInfo')[1] ?? '')
    .join('\n')
  for (const code of Object.keys(errors)) t.match(text, `'${code}'`, code)
  for (const [, code = ''] of text.matchAll(/AppError\(\s*'(\w+)'/g)) t.ok(code in errors, code)
  for (const [code, info] of Object.entries(errors)) {
    if ('close' in info) t.ok(info.close in closeCodes, `${code} closes with a documented close code`)
  }
})
