import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import { revokeTokens } from '../../src/chat/administration.ts'
import { startFaulty } from '../support/fault.ts'
import { operator } from '../support/operator.ts'
import { login as loginTo, startServer, temporaryFolder } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { write } from '../support/test-database.ts'
import { claimsOf } from '../support/token.ts'

const { url, call, login } = await startServer(t)

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
  await write(
    folder,
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < 250)
     insert into revoked_tokens select 'old ' || i, ${old - 1000} + i from n;
     insert into revoked_tokens values ('kept', ${old + 60_000})`,
  )
  const kept = async () => {
    const { token } = await login('eli')
    t.equal((await eli.call('POST', '/logout', undefined, { authorization: `Bearer ${token}` })).status, 204)
    return (await rows("select count(*) as n from revoked_tokens where jti like 'old %'"))[0]?.n
  }
  t.strictSame([await kept(), await kept(), await kept()], [150, 50, 0])
  t.equal((await rows("select jti from revoked_tokens where jti = 'kept'")).length, 1)
})

t.test('a password change that waited does not revive a token that was revoked meanwhile', async (t) => {
  const { app, login, rows } = await startServer(t)
  const { writer } = app.database
  const alice = await login('alice')
  const change = (jti: string, checked_hash: string | null, family: string) =>
    writer.append('setPassword', {
      user_id: alice.id,
      checked_hash,
      password_hash: `hash-${family}`,
      family,
      kept_token: jti,
    })
  const revoked = String(claimsOf(alice.token).jti)
  await writer.append('revokeAll', { user_id: alice.id, family: 'second' })
  await t.rejects(change(revoked, null, 'third'), { code: 'UNAUTHORIZED' })
  t.strictSame(await rows('select password_hash, token_family from users'), [
    { password_hash: null, token_family: 'second' },
  ])
  await change('second.token', null, 'third')
  await change('second.token', 'hash-third', 'fourth')
  await writer.append('revokeToken', { user_id: alice.id, jti: 'second.token', expires_at: Date.now() + 1e6 })
  await t.rejects(change('second.token', 'hash-fourth', 'fifth'), { code: 'UNAUTHORIZED' })
})
