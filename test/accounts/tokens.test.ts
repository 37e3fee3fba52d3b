import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import { revokeTokens } from '../../src/chat/administration.ts'
import { writeSql } from '../support/database.ts'
import { operator } from '../support/operator.ts'
import { startFaulty } from '../support/fault.ts'
import { login as loginTo, startServer, temporaryFolder } from '../support/server.ts'
import { connect, refusedHandshake } from '../support/socket.ts'
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

t.test('a logout ends one token and its sockets only', async (t) => {
  const cid = await login('cid')
  const other = await login('cid')
  const [gone, plain, stays] = [
    await cid.connect(),
    await cid.connect({ plain: true }),
    await other.connect(),
  ]
  t.equal((await cid.call('POST', '/logout')).status, 204)
  t.match(await gone.closed, { code: 4401 })
  t.match(await plain.closed, { code: 4401 })
  t.match(await cid.call('GET', '/users/me'), { status: 401, body: { code: 'UNAUTHORIZED' } })
  t.equal((await cid.call('POST', '/logout')).status, 401)
  t.equal((await other.call('GET', '/users/me')).status, 200)
  t.equal((await stays.settle()).type, 'pong')
  t.match(await refusedHandshake(`${url}/ws`, { authorization: `Bearer ${cid.token}` }), { status: 401 })
})

t.test('a logout from everywhere ends all tokens of the user', async (t) => {
  const dan = await login('dan')
  const other = await login('dan')
  const sockets = [await dan.connect(), await other.connect({ plain: true })]
  t.equal((await dan.call('POST', '/logout?everywhere=true')).status, 204)
  for (const { closed } of sockets) t.match(await closed, { code: 4401 })
  for (const { call } of [dan, other]) t.equal((await call('GET', '/users/me')).status, 401)
  t.equal((await (await login('dan')).call('GET', '/users/me')).status, 200, 'a new login works')
})

t.test('a frame sent before its token ends is answered before the socket closes', async (t) => {
  const eve = await login('eve')
  const socket = await eve.connect()
  const logout = eve.call('POST', '/logout')
  for (let n = 0; n < 50; n++) socket.send({ id: `s${n}`, receiver_username: 'eve', content: `${n}` })
  t.equal((await logout).status, 204)
  t.match(await socket.closed, { code: 4401 })
  const acked = socket.frames.filter(({ type }) => type === 'ack').length
  const again = await login('eve')
  t.equal((await again.history('eve')).length, acked, 'each acknowledged message is stored, and no other')
})

t.test('a revoked token stays revoked after a restart, and the secret is kept', async (t) => {
  const first = await startServer(t)
  const fay = await first.login('fay')
  const gil = await first.login('gil')
  await fay.call('POST', '/logout')
  await first.app.close()
  const second = await startServer(t, {}, first.folder)
  t.equal((await second.call('GET', '/users/me', { token: gil.token })).status, 200)
  t.equal((await second.call('GET', '/users/me', { token: fay.token })).status, 401)
})

t.test('a token with a longer lifetime stays revoked for its whole life', async (t) => {
  const before = await startServer(t)
  const [lea, other] = [await before.login('lea'), await before.login('other')]
  await before.app.close()
  const { app, call, login } = await startServer(t, { TOKEN_TTL: '1' }, before.folder)
  const tryLea = () => call('GET', '/users/me', { token: lea.token })
  t.equal((await tryLea()).status, 200)
  t.equal((await call('POST', '/logout', { token: lea.token })).status, 204)
  // When two tokens of today's lifetime have ended in sequence, more than one lifetime has passed.
  for (const name of ['mia', 'nia']) {
    const { token } = await login(name)
    while ((await call('GET', '/users/me', { token })).status === 200) await pause(50)
  }
  await revokeTokens(app.chat, other.id)
  t.equal((await tryLea()).status, 401, 'the token stays revoked after old revocations were deleted')
})

t.test('a clock that jumps forward two days and back keeps every rule about tokens', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  const [ann, bob] = [await loginTo(t, server.url, 'ann'), await loginTo(t, server.url, 'bob')]
  t.equal((await ann.call('POST', '/logout')).status, 204)
  await operator(folder).change('rotate-secret', { urgent: false })
  server.begin('clock ahead')
  t.equal((await bob.call('GET', '/users/me')).status, 401, 'the token of this login has expired')
  const later = await loginTo(t, server.url, 'bob')
  t.equal((await later.call('POST', '/logout')).status, 204, 'a logout deletes old revocations')
  server.end()
  t.match(await ann.call('GET', '/users/me'), { status: 401 }, 'a revoked token stays revoked')
  t.equal(
    (await bob.call('GET', '/users/me')).status,
    200,
    'a token that was not revoked is valid again under a retired secret',
  )
  server.child.kill('SIGTERM')
  await server.exited
  const again = await startServer(t, {}, folder)
  t.equal((await again.call('GET', '/users/me', { token: ann.token })).status, 401, 'after a restart too')
})

t.test('a logout deletes revocations 30 days after their tokens expired, a hundred at a time', async (t) => {
  const { folder, login, rows } = await startServer(t)
  const eli = await login('eli')
  const old = Date.now() - 30 * 86_400_000
  writeSql(
    join(folder, 'messenger.db'),
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 250)
     insert into revoked_tokens select 'old ' || i, ${old - 1000} + i from n;
     insert into revoked_tokens values ('kept', ${old + 60_000})`,
  )
  const kept = async () => {
    const { token } = await login('eli')
    t.equal((await eli.call('POST', '/logout', undefined, { authorization: `Bearer ${token}` })).status, 204)
    return rows("select count(*) as n from revoked_tokens where jti like 'old %'")[0]?.n
  }
  t.strictSame([await kept(), await kept(), await kept()], [150, 50, 0])
  t.equal(rows("select jti from revoked_tokens where jti = 'kept'").length, 1)
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

t.test('a logout closes the socket that has the token now, and not the one that had it before', async (t) => {
  const lea = await login('lea')
  const socket = await lea.connect()
  const fresh = (await lea.call<Session>('POST', '/token')).body.token
  t.equal((await socket.request({ type: 'auth', token: fresh })).type, 'ack')
  await lea.call('POST', '/logout')
  t.equal((await socket.settle()).type, 'pong')
  await call('POST', '/logout', { token: fresh })
  t.match(await socket.closed, { code: 4401 })
})

t.test('a server creates its secret at the first start and readable by its user only', async (t) => {
  const { statSync, readFileSync } = await import('node:fs')
  const { folder, app, login } = await startServer(t)
  await login('max')
  const file = `${folder}/messenger.db.key`
  t.equal(statSync(file).mode & 0o777, 0o600)
  const secret = readFileSync(file, 'utf8').trim()
  t.ok(Buffer.from(secret, 'base64url').length >= 32)
  await app.close()
  const again = await startServer(t, {}, folder)
  t.equal(readFileSync(file, 'utf8').trim(), secret)
  t.ok(await again.login('max'))
})

t.test('a retired secret verifies tokens for one token lifetime and no longer', async (t) => {
  const { call, folder, login, url } = await startServer(t, { TOKEN_TTL: '6', HEARTBEAT_MS: '500' })
  const ned = await login('ned')
  const key = join(folder, 'messenger.db.key')
  const retired = readFileSync(key, 'utf8').trim()
  await operator(folder, { TOKEN_TTL: '6' }).change('rotate-secret', { urgent: false })
  const until = Number(/ (\d+)$/.exec(readFileSync(key, 'utf8').trim())?.[1])
  const lasting = { ...claimsOf(ned.token), exp: Math.floor(Date.now() / 1000) + 3600 }
  const token = forgeToken({ alg: 'HS256', typ: 'JWT' }, lasting, retired)
  const me = () => call('GET', '/users/me', { token })
  t.equal((await me()).status, 200)
  const socket = await connect(t, url, token)
  t.match(await socket.closed, { code: 4401 })
  t.ok(Date.now() >= until)
  t.match(
    await me(),
    { status: 401, body: { code: 'UNAUTHORIZED' } },
    'a cached token with a later expiry is refused too',
  )
})

t.test('a secret that was removed from the environment verifies no token', async (t) => {
  const [before, now] = ['a'.repeat(32), 'b'.repeat(32)]
  const first = await startServer(t, { JWT_SECRET: before })
  const { token } = await first.login('oda')
  await first.app.close()
  const statusWith = async (env: Record<string, string>) => {
    const { app, call } = await startServer(t, env, first.folder)
    const { status } = await call('GET', '/users/me', { token })
    await app.close()
    return status
  }
  t.equal(await statusWith({ JWT_SECRET: now, JWT_SECRET_PREVIOUS: before }), 200)
  t.equal(await statusWith({ JWT_SECRET: now }), 401)
})

t.test('a password change that waited does not revive a token that was revoked meanwhile', async (t) => {
  const { app, login, rows } = await startServer(t)
  const { writer } = app.database
  const alice = await login('alice')
  const jtiOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()).jti as string
  const change = (jti: string, checked_hash: string | null, family: string) =>
    writer.append('setPassword', {
      user_id: alice.id,
      checked_hash,
      password_hash: `hash-${family}`,
      family,
      kept_token: jti,
    })
  const revoked = jtiOf(alice.token)
  await writer.append('revokeAll', { user_id: alice.id, family: 'second' })
  await t.rejects(change(revoked, null, 'third'), { code: 'UNAUTHORIZED' })
  t.strictSame(rows('select password_hash, token_family from users'), [
    { password_hash: null, token_family: 'second' },
  ])
  await change('second.token', null, 'third')
  await change('second.token', 'hash-third', 'fourth')
  await writer.append('revokeToken', { user_id: alice.id, jti: 'second.token', expires_at: Date.now() + 1e6 })
  await t.rejects(change('second.token', 'hash-fourth', 'fifth'), { code: 'UNAUTHORIZED' })
})
