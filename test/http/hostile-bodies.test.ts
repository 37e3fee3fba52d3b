import t from 'tap'
import { startProcess } from '../support/process.ts'
import { dial, replies, sendRaw } from '../support/raw.ts'
import { call, login, startServer, temporaryFolder } from '../support/server.ts'

/** The head of a send, without its length headers. */
const startOf = (token: string) =>
  `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n`

t.test('an invalid body is refused and changes nothing', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const good = '"receiver_username":"alice","content":"x"'
  const deep = (open: string, close: string) => open.repeat(30_000) + close.repeat(30_000)
  for (const [what, body] of [
    ['__proto__', `{${good},"__proto__":{"status":"sent"}}`],
    ['__proto__ in escapes', `{${good},"\\u005f_proto__":{}}`],
    ['__proto__ in what is open', `{${good},"metadata":{"a":{"__proto__":1}}}`],
    ['constructor', `{${good},"constructor":{"prototype":{"a":1}}}`],
    ['constructor in an open object', `{${good},"metadata":{"constructor":{"prototype":{}}}}`],
    ['constructor as a value', `{${good},"constructor":1}`],
    ['arrays, 30,000 deep', deep('[', ']')],
    ['metadata, 30,000 deep', `{${good},"metadata":{"a":${deep('[', ']')}}}`],
    [
      'objects at the maximum depth of the body limit',
      `{${good},"metadata":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}}`,
    ],
    ['an array', `[{${good}}]`],
    ['null', 'null'],
    ['text', '"x"'],
    ['nothing', ''],
    ['half', `{${good}`],
    ['a trailing comma', `{${good},}`],
    ['NaN', `{${good},"reply_to":NaN}`],
    ['a number above the range of doubles', `{${good},"reply_to":1e999}`],
    ['two byte order marks', `\ufeff\ufeff{${good}}`],
    ['an unknown member', `{${good},"sender":"bob"}`],
    ['a number instead of a string', '{"receiver_username":"alice","content":1}'],
    ['a lone surrogate', '{"receiver_username":"alice","content":"\\ud800"}'],
    ['U+0000', '{"receiver_username":"alice","content":"a\\u0000b"}'],
  ] as const) {
    const { status, body: problem } = await alice.call('POST', '/send', body)
    t.equal(status, 400, what)
    t.match(problem, { status: 400, code: /^(VALIDATION_FAILED|INVALID_JSON)$/, request_id: String })
  }
  const bytes = Buffer.from(`{${good.replace('x', '?')}}`)
  bytes[bytes.indexOf('?')] = 0xff
  t.match(await call(url, 'POST', '/send', { token: alice.token, body: bytes }), {
    status: 400,
    body: { code: 'INVALID_JSON' },
  })
  t.strictSame(await alice.history('alice'), [])
})

t.test('a deeply nested frame is refused and the socket stays open', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('alice')
  const socket = await alice.connect()
  const deep = `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`
  socket.send(`{"id":"deep","receiver_username":"alice","content":"x","metadata":${deep}}`)
  t.match(await socket.wait('error'), { id: 'deep', problem: { code: 'VALIDATION_FAILED' } })
  t.match(await socket.request({ type: 'ping' }), { type: 'pong' })
})

t.test('a body is JSON only if its content type says so', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const say = async (type: string | undefined, body: string) => {
    const [reply] = await sendRaw(
      t,
      url,
      `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice.token}\r\nConnection: close\r\n` +
        `${type === undefined ? '' : `Content-Type: ${type}\r\n`}Content-Length: ${body.length}\r\n\r\n${body}`,
    )
    return reply
  }
  const good = '{"receiver_username":"alice","content":"x"}'
  const bad = '{"receiver_username":"alice","content":"x","sender":"bob"}'
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'application/json\tx',
    'text/json',
    'application/xml',
    '*/*',
    ' ',
    undefined,
  ]) {
    const reply = await say(type, good)
    t.match(reply, { status: 415, body: { code: 'UNSUPPORTED_MEDIA_TYPE' } }, `${type}`)
  }
  t.strictSame(await alice.history('alice'), [])
  for (const type of [
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json; charset="utf-8"',
    'application/json\t; charset=utf-8',
    'application/json; charset=latin1',
  ]) {
    const reply = await say(type, bad)
    t.ok([400, 415].includes(reply?.status as number), `${type}: validated or refused`)
  }
  t.strictSame(await alice.history('alice'), [], 'no body is stored without validation')
  t.match(await say('application/json; charset=utf-8', good), { status: 200 })
})

t.test('the most deeply nested JSON body is refused in under 50 ms', async (t) => {
  const { url } = await startProcess(t, await temporaryFolder(t))
  const { token } = await login(t, url, 'alice')
  const deep = (open: string, close: string) => open.repeat(30_000) + close.repeat(30_000)
  for (const body of [
    deep('[', ']'),
    `{"receiver_username":"alice","content":"x","metadata":${deep('[', ']')}}`,
  ]) {
    // The best of several attempts, because a busy machine delays some of them.
    let best = Number.POSITIVE_INFINITY
    for (let round = 0; round < 40 && best >= 50; round += 1) {
      const connection = await dial(t, url)
      const started = performance.now()
      connection.write(`${startOf(token)}Content-Length: ${body.length}\r\n\r\n${body}`)
      t.match(replies(await connection.until((bytes) => bytes.includes('}'))), [{ status: 400 }])
      best = Math.min(best, performance.now() - started)
    }
    t.ok(best < 50, `${best.toFixed(1)} ms`)
  }
})

t.test('a body above the limit is 413 with and without a length, and uses no memory', async (t) => {
  const { url, memory } = await startProcess(t, await temporaryFolder(t))
  const { token } = await login(t, url, 'alice')
  const size = 20_000_000
  const body = Buffer.alloc(size, 'a')
  const said = Buffer.from(`${startOf(token)}Content-Length: ${size}\r\n\r\n`)
  const unsaid = Buffer.from(`${startOf(token)}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`)
  const send = async (count: number) => {
    for (let round = 0; round < count; round += 1) {
      const connection = await dial(t, url)
      connection.write(round % 2 === 0 ? said : unsaid)
      const isWritten = new Promise((resolve) => connection.socket.write(body, resolve))
      const reply = await connection.until((bytes) => bytes.includes('}'))
      t.match(replies(reply), [{ status: 413, body: { code: 'PAYLOAD_TOO_LARGE' } }])
      await isWritten
      t.notOk(connection.socket.destroyed, 'the connection is not reset, which could lose the reply')
    }
    return (await memory()) / 1e6
  }
  // Memory that is read before garbage collection grows first.
  const before = await send(10)
  const grown = (await send(50)) - before
  t.ok(grown < 60, `${grown.toFixed(0)} MB more after 1 GB of bodies on open connections`)
})
