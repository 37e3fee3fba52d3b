import t, { type Test } from 'tap'
import type { Session, User } from '../../schemas/account.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { operator } from '../support/operator.ts'
import * as users from '../../db/queries/users.ts'
import { holdRead } from '../support/reads.ts'
import { startWithKey } from '../support/server-key.ts'
import { type Env, person } from '../support/server.ts'
import { digestOf } from '../support/test-database.ts'

const start = async (t: Test, env: Env = {}) => {
  const server = await startWithKey(t, env)
  return {
    ...server,
    /** Creates a token of a user of the app. */
    tokenOf: async (username: string, body: object = {}) => {
      const reply = await server.asApp<Session>('POST', `/users/${encodeURIComponent(username)}/tokens`, body)
      t.equal(reply.status, 200)
      return person(t, server.url, reply.body)
    },
  }
}

t.test(
  'the app creates a user and changes the profile, and a repeated request changes nothing',
  async (t) => {
    const { asApp, rows, folder } = await start(t)
    const stored = () =>
      rows('select username, owner, display_name, avatar_url, metadata, changed from users')
    const full = {
      display_name: 'Bob B.',
      avatar_url: 'https://app.example/bob.png',
      metadata: { plan: 'gold', tags: [1] },
    }
    const path = `/users/${encodeURIComponent('auth0|bob+x@app.example')}`
    const made = await asApp<User>('PUT', path, full)
    t.match(made, { status: 200, body: { id: 1, username: 'auth0|bob+x@app.example' } })
    const created = await stored()
    t.match(created, [{ owner: 'app', ...full, metadata: JSON.stringify(full.metadata) }])

    const before = await digestOf(folder)
    for (const body of [full, {}, { display_name: 'Bob B.' }])
      t.equal((await asApp('PUT', path, body)).status, 200)
    t.match(await asApp('PUT', path.toUpperCase().replace('/USERS', '/users'), full), { body: made.body })
    t.equal(await digestOf(folder), before)

    await asApp('PUT', path, { display_name: 'Bob', metadata: null })
    const [row] = await stored()
    t.match(row, { display_name: 'Bob', avatar_url: full.avatar_url, metadata: null })
    t.ok(Number(row?.changed) > Number(created[0]?.changed))
    await asApp('PUT', path, { metadata: {} })
    t.match(await stored(), [{ display_name: 'Bob', metadata: '{}' }])
  },
)

t.test('an invalid user is refused, and nothing is stored', async (t) => {
  const { asApp, login, folder } = await start(t)
  const alice = await login('alice')
  t.equal((await alice.call('DELETE', '/users/me')).status, 204)
  const before = await digestOf(folder)
  for (const [path, body, field] of [
    ['/users/bob', { display_name: '' }, '/display_name'],
    ['/users/bob', { display_name: 'x'.repeat(129) }, '/display_name'],
    ['/users/bob', { display_name: '\0' }, '/display_name'],
    ['/users/bob', { avatar_url: 'http://app.example/x' }, '/avatar_url'],
    ['/users/bob', { avatar_url: 'javascript:alert(1)' }, '/avatar_url'],
    ['/users/bob', { avatar_url: `https://app.example/${'x'.repeat(2048)}` }, '/avatar_url'],
    ['/users/bob', { metadata: [] }, '/metadata'],
    ['/users/bob', { metadata: { a: 'x'.repeat(1024) } }, '/metadata'],
    ['/users/bob', { owner: 'me' }, '/owner'],
    ['/users/b%20b', {}, '/username'],
    [`/users/${'x'.repeat(65)}`, {}, '/username'],
    ['/users/Alice', {}, '/username'],
  ] as const) {
    t.match(await asApp('PUT', path, body), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: field }] },
    })
  }
  for (const [method, path, body] of [
    ['DELETE', '/users/alice'],
    ['DELETE', '/users/nobody'],
    ['POST', '/users/alice/tokens', {}],
    ['POST', '/users/nobody/tokens', {}],
    ['POST', '/users/alice/logout'],
    ['POST', '/users/nobody/logout'],
  ] as const) {
    t.match(await asApp(method, path, body), { status: 404, body: { code: 'USER_NOT_FOUND' } }, path)
  }
  for (const expires_in of [0, -1, 1.5, 31_536_001, '60']) {
    t.match(await asApp('POST', '/users/bob/tokens', { expires_in }), {
      status: 400,
      body: { errors: [{ path: '/expires_in' }] },
    })
  }
  t.equal(await digestOf(folder), before)
})

for (const env of [{}, { AUTH_MODE: 'password' }, { REGISTRATION: 'closed' }] as Env[]) {
  t.test(`nobody logs in under the name of a user of the app: ${JSON.stringify(env)}`, async (t) => {
    const { asApp, call, tokenOf } = await start(t, env)
    await asApp('PUT', '/users/shop', { display_name: 'The shop' })
    for (const body of [
      { username: 'shop', password: 'open sesame' },
      { username: 'SHOP', password: 'open sesame' },
      ...(env.AUTH_MODE === 'password' ? [] : [{ username: 'shop' }]),
    ]) {
      t.match(await call('POST', '/login', { body }), { status: 401, body: { code: 'INVALID_CREDENTIALS' } })
    }
    const shop = await tokenOf('Shop')
    t.match(await shop.call('GET', '/users/me'), { status: 200, body: { username: 'shop' } })
    const ways = [
      shop.call('POST', '/token'),
      shop.call('PUT', '/users/me/password', { password: 'open sesame' }),
    ]
    for (const reply of await Promise.all(ways)) {
      t.match(reply, { status: 403, body: { code: 'FORBIDDEN', detail: /Get a new token from the app/ } })
    }
  })
}

t.test('a user who logs in here keeps the login when the app changes the profile', async (t) => {
  const { asApp, login, rows, tokenOf } = await start(t)
  const alice = await login('alice')
  t.match(await asApp('PUT', '/users/Alice', { display_name: 'Alice' }), { body: { username: 'alice' } })
  t.match(await rows('select owner, display_name from users'), [{ owner: null, display_name: 'Alice' }])
  t.equal((await alice.call('GET', '/users/me')).status, 200)
  t.equal((await login('alice')).id, alice.id)
  t.equal((await (await tokenOf('alice')).call('POST', '/token')).status, 200)
})

t.test('a token of the app is valid for as long as the app says', async (t) => {
  const { asApp, tokenOf, config } = await start(t)
  await asApp('PUT', '/users/bob', {})
  const lifetime = ({ token }: { token: string }) => {
    const { iat, exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return exp - iat
  }
  const day = await tokenOf('bob')
  t.equal(lifetime(day), config.TOKEN_TTL)
  const minute = await tokenOf('bob', { expires_in: 60 })
  t.equal(lifetime(minute), 60)
  t.equal(lifetime(await tokenOf('bob', { expires_in: 31_536_000 })), 31_536_000)
  for (const { call } of [day, minute]) t.match(await call('GET', '/users/me'), { body: { username: 'bob' } })
})

t.test('the app logs a user out everywhere', async (t) => {
  const { asApp, login, rows, tokenOf } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const again = await tokenOf('alice')
  const socket = await alice.connect()
  const { body } = await again.call<SyncPage>('GET', '/sync')
  const waiting = again.call('GET', `/sync?wait=30&cursor=${body.cursor}`)
  t.equal((await asApp('POST', '/users/ALICE/logout')).status, 204)
  t.match(await socket.closed, { code: 4401 })
  t.match(await waiting, { status: 401 })
  for (const { call } of [alice, again]) t.match(await call('GET', '/users/me'), { status: 401 })
  t.equal((await bob.call('GET', '/users/me')).status, 200)
  t.equal((await login('alice')).id, alice.id)
  const [ended, other] = await rows('select tokens_from from users order by id')
  t.ok(Number(ended?.tokens_from) > Date.now() / 1000 - 600, 'tokens of an issuer end by their time')
  t.equal(Number(other?.tokens_from), 0)
})

t.test('the app removes a user, and the name stays taken', async (t) => {
  const { asApp, login, folder } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const group = await alice.createGroup('g', ['bob'])
  const socket = await alice.connect()
  t.equal((await asApp('DELETE', '/users/alice')).status, 204)
  t.match(await socket.closed, { code: 4401 })
  t.match(await bob.conversation(group.id), { role: 'owner', member_count: 1 })
  t.match(await asApp('PUT', '/users/alice', {}), { status: 400 })
  t.match(await operator(folder).admin(['users', '--prefix', 'al']), { out: /20\S+Z +20\S+Z +- +alice$/m })
})

t.test('an account that is removed while the app removes it or ends its tokens is not found', async (t) => {
  const { app, login, asApp } = await start(t)
  for (const [name, method, path] of [
    ['ann', 'DELETE', '/users/ann'],
    ['bob', 'POST', '/users/bob/logout'],
  ] as const) {
    const user = await login(name)
    const held = holdRead({ app }, users.userByKey)
    const late = asApp(method, path)
    await held.reached
    t.equal((await user.call('DELETE', '/users/me')).status, 204)
    held.release()
    t.match(await late, { status: 404, body: { code: 'USER_NOT_FOUND', errors: [{ path: '/username' }] } })
  }
})
