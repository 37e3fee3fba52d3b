import t, { type Test } from 'tap'
import * as users from '../../db/queries/users.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import type { Suspension } from '../../schemas/suspension.ts'
import { issuedToken, issuerEnv, rsaIssuer } from '../support/issuer.ts'
import { operator } from '../support/operator.ts'
import { holdRead } from '../support/reads.ts'
import { createApp } from '../support/server-key.ts'
import { type Env, type Person, startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { headOf, loseNextBatch, nextWait } from '../support/stream.ts'
import { digestOf } from '../support/test-database.ts'

const start = async (t: Test, env: Env = {}) => {
  const server = await startServer(t, env)
  const { call } = await createApp(server)
  return {
    ...server,
    asApp: call,
    onBehalfOf: <T>(name: string, method: string, path: string, body?: unknown) =>
      call<T>(method, path, body, { 'on-behalf-of': name }),
  }
}

const FOREVER = { reason: 'Insults' }
const suspended = { status: 403, body: { code: 'ACCOUNT_SUSPENDED', detail: /Reason: Insults$/ } }

/** Waits with `/sync` until something ends the wait. */
const poll = async (server: Parameters<typeof nextWait>[0], call: () => Promise<unknown>) => {
  const isWaiting = nextWait(server)
  const reply = call()
  await isWaiting
  return { reply }
}

t.test('a suspended user can neither write, read, log in nor connect', async (t) => {
  const server = await start(t)
  const { asApp, onBehalfOf, login, call, rows, url } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const sent = await bob.send('alice', 'before')
  const again = await login('bob')
  const sockets = [await bob.connect(), await bob.connect({ plain: true }), await again.connect()]
  const path = `/sync?wait=30&cursor=${await headOf(bob)}`
  const polls = [
    await poll(server, () => bob.call('GET', path)),
    await poll(server, () => onBehalfOf('bob', 'GET', path)),
  ]
  const other = await alice.connect()

  const reply = await asApp<Suspension>('PUT', '/users/BOB/suspension', FOREVER)
  t.match(reply, { status: 200, body: FOREVER })
  t.notOk('until' in reply.body)
  for (const { closed } of sockets) t.match(await closed, { code: 4403 })
  for (const { reply: ended } of polls) t.match(await ended, suspended)
  for (const { token } of [bob, again]) {
    for (const [method, target, body] of [
      ['GET', '/users/me'],
      ['GET', '/history/alice'],
      ['GET', path],
      ['POST', '/send', { receiver_username: 'alice', content: 'x' }],
      ['PATCH', `/messages/${sent.id}`, { content: 'x' }],
      ['POST', '/groups', { title: 'x', members: [] }],
      ['POST', '/token'],
      ['POST', '/logout'],
      ['DELETE', '/users/me'],
    ] as const)
      t.match(await call(method, target, { token, ...(body && { body }) }), suspended, `${method} ${target}`)
  }
  const headers = { authorization: `Bearer ${bob.token}` }
  t.match(await refusedHandshake(url.replace('http', 'ws') + '/ws', headers, ['messenger.v1']), {
    status: 403,
    body: suspended.body,
  })
  t.match(await call('POST', '/login', { body: { username: 'bob' } }), suspended)
  t.match(await asApp('POST', '/users/bob/tokens', {}), suspended)
  t.match(await onBehalfOf('bob', 'GET', '/users/me'), suspended)
  t.equal((await rows('select count(*) as count from messages'))[0]?.count, 1)

  t.match(await other.settle(), { type: 'pong' }, 'others stay connected')
  await alice.send('bob', 'you can read this later')
  t.match(await alice.history('bob'), [{ content: 'before' }, {}])

  t.match(await asApp('GET', '/users/bob'), { status: 200, body: { username: 'bob', suspension: FOREVER } })
  for (const seen of [alice.call('GET', '/users/bob'), onBehalfOf('alice', 'GET', '/users/bob')])
    t.strictSame((await seen).body, { id: bob.id, username: 'bob' })

  t.equal((await asApp('DELETE', '/users/bob/suspension')).status, 204)
  t.strictSame((await asApp('GET', '/users/bob')).body, { id: bob.id, username: 'bob' })
  t.match(await bob.history('alice'), [{}, { content: 'you can read this later' }])
  t.match(await onBehalfOf('bob', 'GET', '/users/me'), { status: 200 })
  await (await bob.connect()).close()
  await login('bob')
  await again.send('alice', 'after')
})

t.test('a suspension ends by itself, and its end is in the error', async (t) => {
  const { asApp, onBehalfOf, login, folder } = await start(t)
  const bob = await login('bob')
  const hour = new Date(Date.now() + 3_600_000).toISOString()
  t.match(await asApp('PUT', '/users/bob/suspension', { ...FOREVER, until: hour }), {
    status: 200,
    body: { ...FOREVER, until: hour },
  })
  t.match(await bob.call('GET', '/users/me'), {
    ...suspended,
    body: { detail: `This account is suspended until ${hour}. Reason: Insults` },
  })
  const { admin } = operator(folder)
  const listed = async () => JSON.parse((await admin(['users', '--json'])).out).users[0]
  t.match(await listed(), { username: 'bob', suspension: { ...FOREVER, until: hour } })
  t.match((await admin(['users'])).out, new RegExp(`${hour} +bob`))

  const soon = new Date(Date.now() + 300).toISOString()
  await asApp('PUT', '/users/bob/suspension', { reason: 'Spam', until: soon.replace('Z', '+00:00') })
  while ((await bob.call('GET', '/users/me')).status === 403)
    await new Promise((resolve) => setTimeout(resolve, 20))
  await login('bob')
  t.match(await onBehalfOf('bob', 'GET', '/users/me'), { status: 200 })
  // The clock of the database decides for a write. It may be behind.
  while ((await bob.call('POST', '/send', { receiver_username: 'bob', content: 'back' })).status === 403)
    await new Promise((resolve) => setTimeout(resolve, 20))
  t.notOk('suspension' in (await listed()))
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  t.match((await admin(['users'])).out, /yes +bob/)
})

t.test('a repeated suspension or lifting changes nothing', async (t) => {
  const { asApp, login, folder } = await start(t)
  await login('bob')
  const until = '2999-01-01T00:00:00.000Z'
  for (const body of [FOREVER, { ...FOREVER, until }, { reason: 'Spam', until }]) {
    t.match(await asApp('PUT', '/users/bob/suspension', body), { status: 200, body })
    const before = await digestOf(folder)
    t.match(await asApp('PUT', '/users/bob/suspension', body), { status: 200, body })
    t.equal(await digestOf(folder), before)
  }
  t.equal((await asApp('DELETE', '/users/bob/suspension')).status, 204)
  const before = await digestOf(folder)
  t.equal((await asApp('DELETE', '/users/bob/suspension')).status, 204)
  t.equal(await digestOf(folder), before)
})

t.test('a suspension that is not valid is refused', async (t) => {
  const { asApp, login, folder } = await start(t)
  const bob = await login('bob')
  await login('carol')
  await asApp('DELETE', '/users/carol')
  const before = await digestOf(folder)
  for (const [body, at] of [
    [{}, '/reason'],
    [{ reason: '' }, '/reason'],
    [{ reason: '𝄞'.repeat(1001) }, '/reason'],
    ...[
      '2020-01-01T00:00:00Z',
      '2999-01-01',
      '2999-01-01T00:00:00',
      '2999-13-01T00:00:00Z',
      '2999-02-29T00:00:00Z',
      'tomorrow',
    ].map((until) => [{ reason: 'x', until }, '/until'] as const),
  ] as const) {
    t.match(await asApp('PUT', '/users/bob/suspension', body), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: at }] },
    })
  }
  for (const name of ['nobody', 'carol']) {
    for (const [method, body] of [['PUT', FOREVER], ['DELETE']] as const)
      t.match(await asApp(method, `/users/${name}/suspension`, body), { body: { code: 'USER_NOT_FOUND' } })
  }
  t.match(await bob.call('PUT', '/users/bob/suspension', FOREVER), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  })
  t.equal(await digestOf(folder), before)
  const longest = { reason: '𝄞'.repeat(1000) }
  t.match(await asApp('PUT', '/users/bob/suspension', longest), { status: 200, body: longest })
})

t.test('a suspended user can be logged out, get a password and be removed', async (t) => {
  const { asApp, login, folder } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const group = await bob.createGroup('g', ['alice'])
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  t.equal((await asApp('POST', '/users/bob/logout')).status, 204)
  t.match(await operator(folder).admin(['set-password', 'bob', '--generate']), { code: 0 })
  t.match(await asApp('PUT', '/users/bob', { display_name: 'B' }), { status: 200 })
  await asApp('DELETE', '/users/bob/suspension')
  t.equal((await bob.call('GET', '/users/me')).status, 401)
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  t.equal((await asApp('DELETE', '/users/bob')).status, 204)
  t.match(await alice.conversation(group.id), { role: 'owner', member_count: 1 })
})

t.test('a suspension with a password does not reveal itself without the password', async (t) => {
  const { asApp, call, login } = await start(t, { AUTH_MODE: 'password' })
  await login('bob', 'correct horse')
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  const attempt = (password: string) => call('POST', '/login', { body: { username: 'bob', password } })
  t.match(await attempt('wrong horse'), { status: 401, body: { code: 'INVALID_CREDENTIALS' } })
  t.match(await attempt('correct horse'), suspended)
})

t.test('a lost notice ends sockets and long polls with the next batch', async (t) => {
  const server = await start(t)
  const { app, login, onBehalfOf } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [live, kept] = [await bob.connect(), await alice.connect()]
  const path = `/sync?wait=30&cursor=${await headOf(bob)}`
  const polls = [
    await poll(server, () => bob.call('GET', path)),
    await poll(server, () => onBehalfOf('bob', 'GET', path)),
  ]
  loseNextBatch(server)
  await app.chat.writer.append('suspend', { username: 'bob', ...FOREVER })
  await alice.send('alice', 'a note')
  t.match(await live.closed, { code: 4403 })
  for (const { reply } of polls) t.match(await reply, suspended)
  t.match(await bob.call('GET', '/users/me'), suspended)
  t.match(await kept.settle(), { type: 'pong' })
})

t.test('operations in one batch with a suspension are refused from there on', async (t) => {
  const server = await start(t)
  const { app, login } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const { writer } = app.chat
  const send = (content: string) =>
    writer.append('send', { sender_id: bob.id, receiver_username: 'alice', content })
  const outcomes = await Promise.allSettled([
    send('one'),
    writer.append('suspend', { username: 'bob', ...FOREVER }),
    send('two'),
    writer.append('endSuspension', { username: 'bob' }),
    send('three'),
  ])
  t.match(outcomes[2], { status: 'rejected', reason: { code: 'ACCOUNT_SUSPENDED' } })
  t.match(await alice.history('bob'), [{ content: 'one' }, { content: 'three' }])
})

t.test('a long poll continues if the suspension was lifted at once', async (t) => {
  const server = await start(t)
  const { app, login } = server
  const [alice, bob] = [await login('alice'), await login('bob')]
  const path = `/sync?wait=30&cursor=${await headOf(bob)}`
  const { reply } = await poll(server, () => bob.call<SyncPage>('GET', path))
  const { writer } = app.chat
  await Promise.all([
    writer.append('suspend', { username: 'bob', ...FOREVER }),
    writer.append('endSuspension', { username: 'bob' }),
  ])
  await alice.send('bob', 'hello')
  t.match(await reply, { status: 200, body: { events: [{}, { content: 'hello' }] } })
})

t.test('what was read before a suspension is not cached', async (t) => {
  const server = await start(t)
  const { asApp, login, onBehalfOf } = server
  await login('alice')
  const fresh = async (person: Person) => {
    const held = holdRead(server, users.tokenHolder)
    const early = person.call('GET', '/users/me')
    await held.reached
    await asApp('PUT', '/users/bob/suspension', FOREVER)
    held.release()
    t.equal((await early).status, 200)
    t.match(await person.call('GET', '/users/me'), suspended)
    await asApp('DELETE', '/users/bob/suspension')
  }
  await fresh(await login('bob'))
  const held = holdRead(server, users.userByKey)
  const early = onBehalfOf('bob', 'GET', '/users/me')
  await held.reached
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  held.release()
  t.match(await early, { status: 200 })
  t.match(await onBehalfOf('bob', 'GET', '/users/me'), suspended)
})

t.test('a token of an issuer is refused while its user is suspended', async (t) => {
  const { asApp, call } = await start(t, issuerEnv(rsaIssuer))
  const [token, fresh] = [issuedToken('bob'), issuedToken('bob', { jti: 'fresh', name: 'Bob' })]
  const me = (text: string) => call('GET', '/users/me', { token: text })
  t.equal((await me(token)).status, 200)
  await asApp('PUT', '/users/bob/suspension', FOREVER)
  for (const text of [token, fresh]) t.match(await me(text), suspended)
  t.notOk('profile' in (await asApp<object>('GET', '/users/bob')).body, 'its profile is not taken over')
  await asApp('DELETE', '/users/bob/suspension')
  for (const text of [token, fresh]) t.equal((await me(text)).status, 200)
})
