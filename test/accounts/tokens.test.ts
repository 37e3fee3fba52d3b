import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import { startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { claimsOf, forgeToken, SECRET } from '../support/token.ts'

const server = await startServer(t, { JWT_SECRET: SECRET })
const { url, call, login } = server

t.test('a token names its user and its expiry', async (t) => {
  const alice = await login('alice')
  const { iat, exp, ...claims } = claimsOf(alice.token)
  t.match(claims, { sub: String(alice.id), user_id: alice.id, username: 'alice', jti: /./ })
  t.equal(Number(exp) - Number(iat), 86_400)
  t.equal(new Date(Number(exp) * 1000).toISOString(), alice.session.expires_at)
})

t.test('a protected call without a token is refused before any other check', async (t) => {
  const headers: Record<string, string>[] = [
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Basic YTpi' },
  ]
  for (const [method, path] of [
    ['POST', '/send'],
    ['GET', '/history/alice'],
    ['GET', '/users/me'],
    ['POST', '/token'],
    ['POST', '/logout'],
    ['PUT', '/users/me/password'],
  ] as const) {
    for (const given of headers) {
      const body =
        method === 'PUT'
          ? { password: 'x' }
          : path === '/send'
            ? { receiver_username: 'x', content: 'x' }
            : undefined
      const reply = await call(method, path, { headers: given, ...(body && { body }) })
      t.match(reply, { status: 401, body: { code: 'UNAUTHORIZED' } }, `${method} ${path}`)
      t.equal(reply.headers.get('www-authenticate'), 'Bearer')
    }
  }
})

t.test('an invalid token is refused with 401 in a header, a subprotocol and a frame', async (t) => {
  const ann = await login('ann')
  const good = claimsOf(ann.token)
  const header = { alg: 'HS256', typ: 'JWT' }
  const now = Math.floor(Date.now() / 1000)
  const { exp: _, ...withoutEnd } = good
  const { jti: __, ...withoutId } = good
  const [head, payload, signature] = ann.token.split('.') as [string, string, string]
  const forgeries: Record<string, string> = {
    'another secret': forgeToken(header, good, 'another secret of the same kind, long enough'),
    'no algorithm': forgeToken({ alg: 'none' }, good),
    'no algorithm and no signature': `${forgeToken({ alg: 'none' }, good).split('.').slice(0, 2).join('.')}.`,
    'another algorithm': forgeToken({ alg: 'HS512', typ: 'JWT' }, good),
    'an asymmetric algorithm': forgeToken({ alg: 'RS256', typ: 'JWT' }, good),
    'a header that is not an object': forgeToken('HS256', good),
    'a critical extension': forgeToken({ ...header, crit: ['x'], x: 1 }, good),
    ...Object.fromEntries(
      [7, null, '', 0, false, [], ['exp'], {}].map((crit) => [
        `an unknown critical extension: ${JSON.stringify(crit)}`,
        forgeToken({ ...header, crit }, good),
      ]),
    ),
    ...Object.fromEntries(
      ['', 'x', '../../dev/null', "' or 1=1", null, 7, {}].map((kid) => [
        `a key id of the client's choice: ${JSON.stringify(kid)}`,
        forgeToken({ ...header, kid }, good),
      ]),
    ),
    'an embedded key': forgeToken({ ...header, jwk: { kty: 'oct', k: 'eA' } }, good),
    'a prototype in the header': forgeToken(JSON.parse('{"alg":"HS256","typ":"JWT","__proto__":{}}'), good),
    'a signature that is not base64url': `${head}.${payload}.%%%`,
    'a truncated signature': `${head}.${payload}.${signature.slice(0, -4)}`,
    'no signature': `${head}.${payload}`,
    'a changed payload': `${head}.${forgeToken(header, { ...good, user_id: 1 }).split('.')[1]}.${signature}`,
    'a payload that is not JSON': `${head}.bm90IGpzb24.${signature}`,
    'a payload that is a list': forgeToken(header, [good]),
    'a payload that is null': forgeToken(header, null),
    'a payload that is a string': forgeToken(header, 'me'),
    'no expiry': forgeToken(header, withoutEnd),
    'an expiry that is a string': forgeToken(header, { ...good, exp: String(now + 60) }),
    'an expired token': forgeToken(header, { ...good, iat: now - 60, exp: now - 30 }),
    'a token that is not valid yet': forgeToken(header, { ...good, nbf: now + 600 }),
    'a start that is a string': forgeToken(header, { ...good, nbf: 'soon' }),
    'no id': forgeToken(header, withoutId),
    'an unknown token id': forgeToken(header, { ...good, jti: 'x.y' }),
    'a token id with U+0000': forgeToken(header, { ...good, jti: `${String(good.jti)}\0` }),
    'a user id that is a string': forgeToken(header, { ...good, user_id: String(ann.id) }),
    'a user that differs from the subject': forgeToken(header, { ...good, sub: '999' }),
    'an unknown user': forgeToken(header, { ...good, sub: '999999', user_id: 999_999 }),
    'another username': forgeToken(header, { ...good, username: 'alice' }),
    'no token at all': 'x',
    'three dots': '...',
    'a long token': 'x'.repeat(9000),
    'a long token in three parts': forgeToken(header, { ...good, exp: 1, more: 'x'.repeat(6500) }),
    'a long token with a long signature': `${head}.${payload}.${'a'.repeat(9000)}`,
  }
  const socket = await ann.connect()
  for (const [what, token] of Object.entries(forgeries)) {
    const reply = await call('GET', '/users/me', { token })
    t.match(reply, { status: 401, body: { code: 'UNAUTHORIZED', status: 401 } }, what)
    const handshake = await refusedHandshake(`${url}/ws`, { authorization: `Bearer ${token}` })
    t.match(handshake, { status: 401, body: { code: 'UNAUTHORIZED' } }, `${what}, on a socket`)
    const offered = await refusedHandshake(`${url}/ws`, {}, ['messenger.v1', `bearer.${token}`])
    t.match(offered, { status: 401, body: { code: 'UNAUTHORIZED' } }, `${what}, as a subprotocol`)
    const refused = { type: 'error', retryable: false, problem: { code: 'UNAUTHORIZED', status: 401 } }
    t.match(await socket.request({ type: 'auth', token }), refused, `${what}, in a frame`)
  }
  for (const token of ['', 'x'.repeat(60_000)]) {
    const refused = { type: 'error', problem: { code: 'UNAUTHORIZED', status: 401 } }
    t.match(await socket.request({ type: 'auth', token }), refused, `${token.length} characters`)
  }
  t.match(
    await socket.request({ type: 'auth', token: ann.token }),
    { type: 'ack' },
    'none counts as a bad frame',
  )
  t.equal(
    (await call('GET', '/users/me', { token: forgeToken(header, good) })).status,
    200,
    'a valid token is accepted',
  )
})

t.test('a token works with any spelling of Bearer and is never read from the URL', async (t) => {
  const { token } = await login('ann')
  t.equal((await call('GET', '/users/me', { headers: { authorization: `bearer  ${token}` } })).status, 200)
  t.equal((await call('GET', `/users/me?token=${token}`)).status, 401)
  t.match(await refusedHandshake(`${url}/ws?token=${token}`, {}), { status: 400 })
})

t.test('a renewed token is valid beside the old one', async (t) => {
  const bea = await login('bea')
  const { status, body } = await bea.call<Session>('POST', '/token')
  t.equal(status, 200)
  t.strictSame(body.user, bea.session.user)
  t.not(body.token, bea.token)
  t.equal((await call('GET', '/users/me', { token: body.token })).status, 200)
  t.equal((await bea.call('GET', '/users/me')).status, 200)
})

t.test('an expired token is refused and its sockets close', async (t) => {
  const { login } = await startServer(t, { TOKEN_TTL: '6', HEARTBEAT_MS: '500' })
  const hal = await login('hal')
  const sockets = [await hal.connect(), await hal.connect({ plain: true })]
  t.equal((await hal.call('GET', '/users/me')).status, 200)
  for (const { closed } of sockets) t.match(await closed, { code: 4401 })
  t.match(
    await hal.call('GET', '/users/me'),
    { status: 401, body: { code: 'UNAUTHORIZED' } },
    'a cached token is refused too',
  )
})

t.test('a socket that receives a renewed token outlives its first token', async (t) => {
  const { login } = await startServer(t, { TOKEN_TTL: '6', HEARTBEAT_MS: '500', RATE_LIMIT_LOGIN: '0' })
  const ida = await login('ida')
  const socket = await ida.connect()
  const control = await ida.connect()
  const { body } = await ida.call<Session>('POST', '/token')
  let { token } = body
  // Renews until the other socket of the first token is closed because the token expired.
  while (control.socket.readyState === control.socket.OPEN) {
    const renewed = await socket.request({ type: 'auth', token })
    t.equal(renewed.type, 'ack')
    token = (await ida.call<Session>('POST', '/token', undefined, { authorization: `Bearer ${token}` })).body
      .token
  }
  t.equal((await socket.settle()).type, 'pong')
})

t.test('a socket closes when its token expires, without waiting for a heartbeat', async (t) => {
  // No heartbeat runs during this test.
  const { login } = await startServer(t, {
    JWT_SECRET: SECRET,
    TOKEN_TTL: '5',
    HEARTBEAT_MS: '1000000000',
  })
  const [nic, ona] = [await login('nic'), await login('ona')]
  const [socket, renewed] = [await nic.connect(), await ona.connect()]
  const claims = claimsOf(ona.token)
  const token = forgeToken({ alg: 'HS256', typ: 'JWT' }, { ...claims, exp: Number(claims.exp) + 86_400_000 })
  t.match(await renewed.request({ type: 'auth', token }), { type: 'ack' })
  t.match(await socket.closed, { code: 4401, reason: 'token ended' })
  t.match(await renewed.settle(), { type: 'pong' }, 'a socket with a renewed token stays open')
})

t.test('a frame that arrives after its token expired is not handled', async (t) => {
  const pia = await login('pia')
  const socket = await pia.connect()
  const [connection] = server.app.sockets.hub.connectionsOf(pia.id)
  // Simulates a late timer.
  Object.assign(connection as object, { me: { ...connection?.me, expires: Date.now() } })
  socket.send({ receiver_username: 'pia', content: 'too late' })
  t.match(await socket.closed, { code: 4401 })
  t.strictSame(await pia.history('pia'), [])
})

t.test('a socket accepts only a token of its own user', async (t) => {
  const joe = await login('joe')
  const kim = await login('kim')
  const socket = await joe.connect()
  for (const token of [kim.token, 'nonsense']) {
    t.match(await socket.request({ type: 'auth', token }), {
      type: 'error',
      retryable: false,
      problem: { code: 'UNAUTHORIZED', status: 401 },
    })
  }
  await joe.send('joe', 'note')
  t.match(await socket.wait('message'), { sender: 'joe' }, 'the socket keeps its previous token')
})
