import t from 'tap'
import type { Session } from '../../schemas/account.ts'
import { hashPassword } from '../../src/chat/passwords.ts'
import { write } from '../support/test-database.ts'
import { startServer } from '../support/server.ts'

// Tests that need only the defaults share one server. Each test uses names of its own.
const server = await startServer(t)

t.test('login needs only a name, and the same name returns the same account', async (t) => {
  const { call } = server
  const first = await call<Session>('POST', '/login', { body: { username: 'Alice' } })
  t.match(first, { status: 200, body: { token: String, user: { id: Number, username: 'Alice' } } })
  const lifetime = Date.parse(first.body.expires_at) - Date.now()
  t.ok(lifetime > 86_000_000 && lifetime <= 86_400_000, 'a token is valid for one day')

  const again = await call<Session>('POST', '/login', { body: { username: 'aLICE' } })
  t.strictSame(again.body.user, first.body.user, 'names compare without case and keep their first spelling')
  t.not(again.body.token, first.body.token)
})

t.test('usernames accept letters of any script and are normalised', async (t) => {
  const { call, login } = server
  const composed = await login('Zo\u00eb-1.0_x')
  const decomposed = await login('zoe\u0308-1.0_X')
  t.equal(decomposed.id, composed.id)
  t.equal((await login('ΣΊΣΥΦΟΣ')).id, (await login('σίσυφος')).id, 'case folding follows Unicode')
  for (const username of ['', ' ', 'a b', 'a/b', 'a@b', '\u{1f600}', 'a\n', 'x'.repeat(65), 'a\u0000']) {
    const reply = await call('POST', '/login', { body: { username } })
    t.match(reply, { status: 400, body: { code: 'VALIDATION_FAILED', errors: [{ path: '/username' }] } })
  }
  t.equal((await login('x'.repeat(64))).username.length, 64)
})

t.test(
  'a name that URLs drop from a path is refused for a new account, and an existing account keeps it',
  async (t) => {
    const { folder, call, login } = await startServer(t)
    for (const username of ['.', '..']) {
      t.match(await call('POST', '/login', { body: { username } }), {
        status: 400,
        body: { code: 'VALIDATION_FAILED', errors: [{ path: '/username', message: /not "\." or "\.\."/ }] },
      })
    }
    for (const username of ['...', '.a', 'a.', '..b']) t.equal((await login(username)).username, username)
    await write(
      folder,
      "insert into users (id, username, username_key, token_family, created_at) values (1000, '..', '..', 'f', 0)",
    )
    const [old, ann] = [await login('..'), await login('ann')]
    t.equal((await ann.send('..', 'hello')).receiver, '..')
    t.match(await old.history('ann'), [{ content: 'hello' }])
    t.match(await ann.call('POST', '/send', { receiver_username: '.', content: 'x' }), {
      status: 400,
      body: { code: 'VALIDATION_FAILED', errors: [{ path: '/receiver_username' }] },
    })
  },
)

t.test('concurrent first logins under one name create one account', async (t) => {
  const { login, rows } = server
  const people = await Promise.all(Array.from({ length: 20 }, () => login('crowd')))
  t.equal(new Set(people.map(({ id }) => id)).size, 1)
  t.strictSame(await rows("select id from users where username_key = 'crowd'"), [{ id: people[0]?.id }])
})

t.test('an account that sets a password needs it at every later login', async (t) => {
  const { call, login } = server
  const amy = await login('amy')
  t.match((await amy.call('GET', '/users/me')).body, { has_password: false })
  const set = await amy.call('PUT', '/users/me/password', { password: 'pass wörd' })
  t.equal(set.status, 204)
  t.match((await amy.call('GET', '/users/me')).body, { id: amy.id, username: 'amy', has_password: true })

  t.match(await call('POST', '/login', { body: { username: 'amy' } }), {
    status: 401,
    body: { code: 'PASSWORD_REQUIRED' },
  })
  t.match(await call('POST', '/login', { body: { username: 'amy', password: 'wrong' } }), {
    status: 401,
    body: { code: 'INVALID_CREDENTIALS' },
  })
  t.equal((await login('AMY', 'pass wo\u0308rd')).id, amy.id, 'both normal forms of a password match')
  t.ok((await login('ben')).id, 'other accounts still need no password')
})

t.test('the first login can set a password', async (t) => {
  const { call, login } = server
  await login('carol', 'a long secret')
  t.match(await call('POST', '/login', { body: { username: 'carol' } }), { status: 401 })
  t.match(await call('POST', '/login', { body: { username: 'carol', password: 'other words' } }), {
    status: 401,
  })
  await login('carol', 'a long secret')
})

t.test('of two first logins of one name with different passwords, one gets the account', async (t) => {
  const { call, rows } = server
  const replies = await Promise.all(
    ['password one', 'password two'].map((password) =>
      call('POST', '/login', { body: { username: 'dora', password } }),
    ),
  )
  t.strictSame(replies.map(({ status }) => status).toSorted(), [200, 401])
  t.equal((await rows("select id from users where username = 'dora'")).length, 1)
})

t.test('a password change needs the current password and ends all other tokens', async (t) => {
  const { call, login } = server
  const old = await login('erin', 'first words')
  const erin = await login('erin', 'first words')
  const socket = await old.connect()
  const kept = await erin.connect()
  for (const body of [
    { password: 'second words' },
    { password: 'second words', current_password: 'wrong' },
  ]) {
    t.match(await erin.call('PUT', '/users/me/password', body), {
      status: 401,
      body: { code: 'INVALID_CREDENTIALS', errors: [{ path: '/current_password' }] },
    })
  }
  t.equal((await old.call('GET', '/users/me')).status, 200, 'a refused change ends no token')
  const body = { password: 'second words', current_password: 'first words' }
  t.equal((await erin.call('PUT', '/users/me/password', body)).status, 204)
  t.match(await old.call('GET', '/users/me'), { status: 401, body: { code: 'UNAUTHORIZED' } })
  t.match(await socket.closed, { code: 4401 }, 'sockets of other tokens close')
  t.equal((await erin.call('GET', '/users/me')).status, 200, 'the token that made the request stays valid')
  t.equal((await kept.settle()).type, 'pong', 'its socket stays open')
  t.equal((await call('POST', '/login', { body: { username: 'erin', password: 'first words' } })).status, 401)
  const renewed = await erin.call<Session>('POST', '/token')
  t.equal((await call('GET', '/users/me', { token: renewed.body.token })).status, 200)
})

t.test('of two concurrent changes with the same current password, one succeeds', async (t) => {
  const { login } = server
  const fay = await login('fay', 'first words')
  const change = (password: string) =>
    fay.call('PUT', '/users/me/password', { password, current_password: 'first words' })
  const replies = await Promise.all([change('second words'), change('third words')])
  t.strictSame(replies.map(({ status }) => status).toSorted(), [204, 401])
})

t.test('AUTH_MODE=password requires a password at every login', async (t) => {
  const { call, login, rows } = await startServer(t, { AUTH_MODE: 'password' })
  t.match(await call('POST', '/login', { body: { username: 'alice' } }), {
    status: 401,
    body: { code: 'PASSWORD_REQUIRED' },
  })
  t.strictSame(await rows('select * from users'), [])
  await login('alice', 'a long secret')
  const wrong = await call('POST', '/login', { body: { username: 'alice', password: 'no' } })
  t.match(wrong, { status: 401, body: { code: 'INVALID_CREDENTIALS' } })
})

t.test('an account without a password cannot log in when passwords are required', async (t) => {
  const open = await startServer(t)
  await open.login('alice')
  await open.app.close()
  const { call } = await startServer(t, { AUTH_MODE: 'password' }, open.folder)
  const body = { username: 'alice', password: 'mine alone' }
  t.match(await call('POST', '/login', { body }), { status: 401, body: { code: 'INVALID_CREDENTIALS' } })
})

t.test('passwords are stored as argon2id only', async (t) => {
  const { login, rows } = server
  await login('gus', 'a long secret')
  await login('hal', 'a long secret')
  const hashes = (await rows("select password_hash from users where username in ('gus', 'hal')")).map(
    ({ password_hash }) => String(password_hash),
  )
  for (const hash of hashes) t.match(hash, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  t.not(hashes[0], hashes[1], 'each hash has its own salt')
})

t.test('a new password needs eight code points, and a shorter existing password still logs in', async (t) => {
  const { folder, call, login, rows } = await startServer(t)
  const short = {
    status: 400,
    body: {
      code: 'VALIDATION_FAILED',
      detail: /password must have 8 to 256 characters; use a phrase/,
      errors: [{ path: '/password' }],
    },
  }
  // Code points of the normal form count: UTF-16 units and combining marks do not.
  for (const password of ['abc', 'seven77', '\u{1f600}'.repeat(7), 'e\u0308'.repeat(7)]) {
    t.match(await call('POST', '/login', { body: { username: 'ivy', password } }), short, password)
  }
  t.strictSame(await rows('select * from users'), [], 'a refused login creates no account')
  const ivy = await login('ivy', '\u{1f600}'.repeat(8))
  const change = (password: string) =>
    ivy.call('PUT', '/users/me/password', { password, current_password: '\u{1f600}'.repeat(8) })
  t.match(await change('seven77'), short)
  t.equal((await change('x'.repeat(257))).status, 400)
  t.equal((await change('x'.repeat(256))).status, 204)

  await write(
    folder,
    `insert into users (id, username, username_key, password_hash, token_family, created_at)
     values (1000, 'jon', 'jon', '${await hashPassword('abc')}', 'f', 0)`,
  )
  const jon = await login('jon', 'abc')
  const body = { password: 'long enough', current_password: 'abc' }
  t.equal((await jon.call('PUT', '/users/me/password', body)).status, 204)
})

t.test('MIN_PASSWORD_LENGTH raises the minimum length of new passwords', async (t) => {
  const { call, login } = await startServer(t, { MIN_PASSWORD_LENGTH: '15' })
  t.match(await call('POST', '/login', { body: { username: 'kai', password: 'x'.repeat(14) } }), {
    status: 400,
    body: { detail: /15 to 256/ },
  })
  t.ok(await login('kai', 'x'.repeat(15)))
})

t.test('login creates no account when registration is closed', async (t) => {
  const open = await startServer(t)
  await open.login('alice', 'open sesame')
  await open.login('bob')
  await open.app.close()

  const closed = await startServer(t, { REGISTRATION: 'closed' }, open.folder)
  for (const body of [{ username: 'carol' }, { username: 'carol', password: 'open sesame' }]) {
    t.match(await closed.call('POST', '/login', { body }), {
      status: 403,
      body: { code: 'FORBIDDEN', detail: /does not create accounts at login\. .*ask the operator/ },
    })
  }
  t.ok(await closed.login('bob'))
  t.ok(await closed.login('alice', 'open sesame'))
  await closed.app.close()

  const both = await startServer(t, { REGISTRATION: 'closed', AUTH_MODE: 'password' }, open.folder)
  const answer = async (username: string, password: string) => {
    const { status, body } = await both.call('POST', '/login', { body: { username, password } })
    return { ...body, status, request_id: '' }
  }
  const wrong = await answer('alice', 'close sesame')
  t.match(wrong, { status: 401, code: 'INVALID_CREDENTIALS' })
  for (const username of ['carol', 'bob', 'a name', '..', '']) {
    t.strictSame(await answer(username, 'abc'), wrong, `${username} gets the same reply`)
  }
  t.match(await both.call('POST', '/login', { body: { username: 'carol' } }), {
    status: 401,
    body: { code: 'PASSWORD_REQUIRED' },
  })
  t.ok(await both.login('alice', 'open sesame'))
  t.strictSame(await both.rows('select username from users'), [{ username: 'alice' }, { username: 'bob' }])
})

t.test('users are found by the start of their name', async (t) => {
  const { login } = await startServer(t)
  const alice = await login('Alice')
  for (const name of ['albert', 'bob', 'Álvaro', 'ALF']) await login(name)
  const find = async (query: string) =>
    (await alice.call<{ users: { username: string }[] }>('GET', `/users?${query}`)).body.users.map(
      ({ username }) => username,
    )
  t.strictSame(await find('prefix=aL'), ['albert', 'ALF', 'Alice'])
  t.strictSame(await find('prefix=al&limit=1'), ['albert'])
  t.strictSame(await find('prefix=%C3%A1'), ['Álvaro'])
  t.strictSame(await find('prefix=zz'), [])
  t.equal((await find('')).length, 5)
})
