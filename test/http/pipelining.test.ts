import t from 'tap'
import { dial, rawRequest, replies } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

t.test('an invalid pipelined request does not affect the replies of requests before it', async (t) => {
  const { url, login } = await startServer(t, { REQUEST_TIMEOUT_MS: '500' })
  const alice = await login('alice')
  const post = (content: string) =>
    rawRequest('POST', '/send', alice.token, JSON.stringify({ receiver_username: 'alice', content }))
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
    connection.write(post('one') + post('two') + behind)
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
