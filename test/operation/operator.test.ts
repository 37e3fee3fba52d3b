import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { controlAddress } from '../../src/operator/control.ts'
import { readRows, writeSql } from '../support/database.ts'
import { operator, runScript } from '../support/operator.ts'
import { startProcess } from '../support/process.ts'
import { call, login as loginTo, startServer, temporaryFolder } from '../support/server.ts'
import { only, onPostgres, storedSecrets, write } from '../support/test-database.ts'

t.test('a running server changes accounts for the operator', async (t) => {
  const { url, folder, login, app } = await startServer(t)
  const { admin, change } = operator(folder)
  const alice = await login('alice')
  const bob = await login('bob')
  await alice.send('bob', 'hello')

  t.test('reading commands change nothing', async (t) => {
    const state = await admin(['state', '--check'])
    t.match(state, { code: 0, out: /^messages +1$/m, err: '' })
    t.match(state.out, /^damage +none$/m)
    t.strictSame((await admin(['users', '--prefix', 'AL'])).out.trimEnd().split('\n'), [
      'id  password  created                   removed  suspended  username',
      `1   no        ${/2\S+Z/.exec((await admin(['users'])).out)?.[0]}  -        -          alice`,
    ])
  })

  t.test('results can be printed as JSON', async (t) => {
    const jsonOf = async (args: string[], input = '') => {
      const { code, out, err } = await admin([...args, '--json'], input)
      t.match({ code, err }, { code: 0, err: '' })
      t.equal(out.trimEnd().split('\n').length, 1)
      return JSON.parse(out)
    }
    t.match(await jsonOf(['state']), { bytes: Number, users: 2, messages: 1, damage: undefined })
    t.match(await jsonOf(['state', '--check']), { users: 2, damage: [] })
    const user = { id: 1, username: 'alice', has_password: false, created_at: /Z$/ }
    t.match(await jsonOf(['users', '--prefix', 'al']), { users: [user] })
    const made = await jsonOf(['create-user', 'Frida', '--generate'])
    t.match(made, { done: 'create-user', id: 3, username: 'Frida', password: /^.{20}$/ })
    t.match(await login('frida', made.password), { id: 3 })
    t.strictSame(await jsonOf(['set-password', 'frida'], 'open sesame'), {
      done: 'set-password',
      username: 'frida',
    })
    const reset = await jsonOf(['set-password', 'frida', '--generate'])
    t.match(await login('frida', reset.password), { id: 3 })
    t.strictSame(await jsonOf(['revoke-tokens', 'frida']), { done: 'revoke-tokens', username: 'frida' })
    t.strictSame(await jsonOf(['remove-user', 'frida']), { done: 'remove-user', username: 'frida' })
    t.match(await admin(['remove-user', 'frida', '--json']), {
      code: 1,
      out: '',
      err: /No user has this name/,
    })
  })

  t.test('an account is created with or without a password', async (t) => {
    t.match(await admin(['create-user', 'gerd'], 'open sesame\r\n'), {
      code: 0,
      out: 'The account gerd is created.\n',
    })
    t.match(await login('gerd', 'open sesame'), { username: 'gerd' })
    t.match(await admin(['create-user', 'hans', '--no-password']), {
      code: 0,
      out: /account hans is created/,
    })
    t.match(await login('hans'), { username: 'hans' })
    const { out } = await admin(['create-user', 'inga', '--generate'])
    t.match(await login('inga', /Its password is (\S+)/.exec(out)?.[1]), { username: 'inga' })
    for (const [args, input, err] of [
      [['create-user', 'GERD', '--no-password'], '', /username is taken/],
      [['create-user', '..', '--no-password'], '', /username must be 1 to 64/],
      [['create-user', 'jana'], 'seven77', /password must have 8 to 256 characters/],
      [['create-user', 'jana'], 'eight \0 and more', /password must have 8 to 256/],
      [['create-user', 'jana'], Buffer.from('caf\xe9 au lait\n', 'latin1'), /password on stdin is not UTF-8/],
      [['create-user', 'jana'], 'open sesame\nopen sesame\n', /stdin has several lines/],
      [['create-user', 'jana'], 'open sesame\r\n\n', /stdin has several lines/],
      [['create-user', 'jana', '--generate', '--no-password'], '', /Use either --generate or --no-password/],
    ] as const) {
      t.match(await admin([...args], input), { code: 1, out: '', err }, args.join(' '))
    }
    t.match(await admin(['users', '--prefix', 'jana', '--json']), { out: '{"users":[]}\n' })
  })

  t.test('a new password replaces the old one and ends all tokens', async (t) => {
    const socket = await alice.connect()
    t.match(await admin(['set-password', 'alice'], 'open sesame\n'), { code: 0, out: /new password/ })
    t.equal((await socket.closed).code, 4401)
    t.match(await alice.call('GET', '/users/me'), { status: 401 })
    const logIn = (password?: string) =>
      call(url, 'POST', '/login', { body: { username: 'alice', password } })
    t.match(await logIn(), { status: 401 })
    t.match(await logIn('open sesame'), { status: 200 })
    const { out } = await admin(['set-password', 'alice', '--generate'])
    t.match(await logIn(/password of alice is (\S+)/.exec(out)?.[1]), { status: 200 })
    t.match(await admin(['set-password', 'nobody'], 'x'), { code: 1, err: /No user has this name/ })
    await t.rejects(change('set-password', { username: 'alice', password: '' }), /8 to 256/)
  })

  t.test('the tokens of one user, or of all users, can be revoked', async (t) => {
    const socket = await bob.connect()
    t.match(await admin(['revoke-tokens', 'bob']), { code: 0 })
    t.equal((await socket.closed).code, 4401)
    const again = await login('bob')
    const carol = await login('carol')
    const { body } = await carol.call<{ cursor: string }>('GET', '/sync')
    const waiting = carol.call('GET', `/sync?wait=30&cursor=${body.cursor}`)
    const sockets = [await again.connect(), await carol.connect()]
    t.match(await admin(['revoke-tokens', '--everybody']), { code: 0 })
    for (const { closed } of sockets) t.equal((await closed).code, 4401)
    t.match(await waiting, { status: 401 }, 'the waiting call is refused')
    t.match(await again.call('GET', '/users/me'), { status: 401 })
    t.match(await admin(['revoke-tokens']), { code: 1, err: /Use either a name or --everybody/ })
  })

  t.test('a rotated secret signs new tokens, and the old one verifies unless it has leaked', async (t) => {
    const before = await login('dora')
    t.match(await admin(['rotate-secret', '--json']), {
      code: 0,
      out: '{"done":"rotate-secret","urgent":false}\n',
    })
    t.match(await before.call('GET', '/users/me'), { status: 200 })
    const after = await login('dora')
    await change('rotate-secret', { urgent: false })
    const late = await login('dora')
    t.match(await late.call('GET', '/users/me'), { status: 200 })
    t.match(await after.call('POST', '/token'), { status: 200 }, 'a token of the previous secret')
    t.match(await before.call('POST', '/token'), { status: 200 }, 'a token of the secret before it')
    t.equal((await storedSecrets(folder)).trim().split('\n').length, 3)
    if (!onPostgres) t.equal(statSync(join(folder, 'messenger.db.key')).mode & 0o777, 0o600)

    const socket = await after.connect()
    await change('rotate-secret', { urgent: true })
    t.equal((await socket.closed).code, 4401)
    t.match(await late.call('GET', '/users/me'), { status: 401 })
    t.match(await (await login('dora')).call('GET', '/users/me'), { status: 200 })
  })

  t.test('server keys are created, listed and revoked, and shown only once', async (t) => {
    const { out } = await admin(['key', 'create', 'backend'])
    const key = /^The server key backend is (msk_[\w-]{43})\n$/.exec(out)?.[1] as string
    const asApp = () => call(url, 'PUT', '/users/shop', { token: key, body: {} })
    t.match(await asApp(), { status: 200 })
    t.match(await admin(['key', 'create', 'backend']), { code: 1, out: '', err: /is the name of a key/ })
    for (const name of ['', 'a b', 'x'.repeat(65)])
      t.match(await admin(['key', 'create', name]), { code: 1, out: '', err: /1 to 64 ASCII/ })
    t.match(await admin(['key', 'create', 'another', '--json']), {
      code: 0,
      out: /^\{"done":"create-key","name":"another","key":"msk_[\w-]{43}"\}\n$/,
    })
    t.match(await admin(['key', 'list']), { out: /^created +name\n20\S+Z +another\n20\S+Z +backend\n$/ })
    t.match(JSON.parse((await admin(['key', 'list', '--json'])).out), {
      keys: [{ name: 'another', created_at: /Z$/ }, { name: 'backend' }],
    })
    t.match(await admin(['key', 'revoke', 'backend', '--json']), {
      code: 0,
      out: '{"done":"revoke-key","name":"backend"}\n',
    })
    t.match(await asApp(), { status: 401 })
    t.match(await admin(['key', 'revoke', 'backend']), { code: 1, err: /must be the name of a key/ })
    t.match(await admin(['key', 'create', 'backend']), { code: 0 }, 'the name is free again')
    t.match(await asApp(), { status: 401 }, 'the old key stays revoked')
  })

  t.test('a removed user loses access, and the name stays taken', async (t) => {
    const erik = await login('erik')
    const socket = await erik.connect()
    t.match(await admin(['remove-user', 'erik']), { code: 0, out: /removed/ })
    t.equal((await socket.closed).code, 4401)
    t.match(await admin(['users']), { out: /20\S+Z +20\S+Z +- +erik$/m })
    await t.rejects(change('remove-user', { username: 'erik' }), /No user/)
    t.match(await call(url, 'POST', '/login', { body: { username: 'erik' } }), { status: 401 })
  })

  const aboutSocket = { skip: only('sqlite', 'the control socket is a file beside the database.') }
  t.test(
    'no other user can connect to the admin socket, and invalid input does no harm',
    aboutSocket,
    async (t) => {
      const address = controlAddress(app.database.controlPath) as string
      t.equal(statSync(address).mode & 0o777, 0o600)
      for (const garbage of ['not json', 'null', '{}', '{"command":"constructor"}', '{"command":"users"}']) {
        const socket = connect(address)
        socket.end(garbage)
        t.match(
          JSON.parse(await text(socket)),
          { ok: false, message: /not a command|Unknown command/ },
          garbage,
        )
      }
      const { reader } = app.chat
      const { get } = reader
      reader.get = () => Promise.reject(new Error('the disk'))
      t.match(await admin(['remove-user', 'alice']), { code: 1, err: /log of the server has the cause/ })
      reader.get = get
      t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
    },
  )
})

t.test('AUTH_MODE=password needs a password for a new account, with and without a server', async (t) => {
  const env = { AUTH_MODE: 'password', REGISTRATION: 'closed' }
  const { folder, login, app } = await startServer(t, env)
  const { admin } = operator(folder, env)
  const refused = { code: 1, out: '', err: /a new account needs a password/ }
  t.match(await admin(['create-user', 'alice', '--no-password']), refused)
  t.match(await admin(['create-user', 'alice'], 'open sesame'), { code: 0 })
  t.match(await login('alice', 'open sesame'), { username: 'alice' })
  await app.close()
  t.match(await admin(['create-user', 'bob', '--no-password']), refused)
  t.match(await admin(['create-user', 'bob'], 'open sesame'), { code: 0 })
  const again = await startServer(t, env, folder)
  t.match(await again.login('bob', 'open sesame'), { username: 'bob' })
})

t.test(
  'a server that ends before it answers a command gives the operator an error',
  { skip: only('sqlite', 'the control socket is a file beside the database.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const ending = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      socket.resume()
      socket.on('end', () => socket.destroy())
    })
    ending.listen(join(folder, 'messenger.db.control'))
    t.teardown(() => ending.close())
    await once(ending, 'listening')
    t.match(await operator(folder).admin(['revoke-tokens', 'alice']), {
      code: 1,
      err: /ended before it answered/,
    })
  },
)

t.test(
  'a silent operator connection does not delay the stop',
  { skip: only('sqlite', 'the control socket is a file beside the database.') },
  async (t) => {
    const { app } = await startServer(t)
    const socket = connect(controlAddress(app.database.controlPath) as string)
    socket.on('error', () => {})
    await once(socket, 'connect')
    await app.close()
    t.pass('the server has stopped')
  },
)

t.test('the commands change the database when no server runs', async (t) => {
  const folder = await temporaryFolder(t)
  const { url: DATABASE_URL, admin, change } = operator(folder)
  t.match(await admin(['state']), { code: 1, err: /no database|not a database of this server/ })
  const before = await startServer(t, { DATABASE_URL })
  const tokens: Record<string, string> = {}
  for (const name of ['alice', 'bob', 'carol']) tokens[name] = (await before.login(name)).token
  await before.app.close()

  t.match(await admin(['rotate-secret']), { code: 0 })
  await change('remove-user', { username: 'bob' })
  await change('set-password', { username: 'carol', password: 'open sesame' })
  const { url } = await startServer(t, { DATABASE_URL })
  const me = (name: string) => call(url, 'GET', '/users/me', { token: tokens[name] as string })
  t.match(await me('alice'), { status: 200 }, 'the previous secret still verifies')
  t.match(await me('bob'), { status: 401 })
  t.match(await call(url, 'POST', '/login', { body: { username: 'bob' } }), { status: 401 })
  t.match(await me('carol'), { status: 401 })
  t.match(await call(url, 'POST', '/login', { body: { username: 'carol', password: 'open sesame' } }), {
    status: 200,
  })
})

t.test('a running server learns of the changes of a command', async (t) => {
  const { url, folder, login } = await startServer(t)
  const { change } = operator(folder)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const statusOf = async (token: string) => (await call(url, 'GET', '/users/me', { token })).status
  const until = async (isSo: () => Promise<boolean>) => {
    while (!(await isSo()));
  }
  t.strictSame([await statusOf(alice.token), await statusOf(bob.token)], [200, 200])
  await change('revoke-tokens', { username: 'alice' })
  await until(async () => (await statusOf(alice.token)) === 401)
  t.equal(await statusOf(bob.token), 200)

  await change('rotate-secret', { urgent: false })
  const [secret = ''] = (await storedSecrets(folder)).split('\n')
  await until(async () => {
    const { token } = await login('alice')
    return token === signAgain(token, secret)
  })
  t.equal(await statusOf(bob.token), 200, 'the previous secret still verifies')
  await change('rotate-secret', { urgent: true })
  await until(async () => (await statusOf(bob.token)) === 401)
  const { token } = await login('alice')
  await until(async () => (await statusOf(signAgain(token, secret))) === 401)
  t.equal(await statusOf((await login('alice')).token), 200)
})

t.test(
  'a check of the database reports a missing table and rows that name no other row',
  { skip: only('postgres', 'backup.test.ts has the checks of a file.') },
  async (t) => {
    const { folder, login } = await startServer(t)
    const { admin } = operator(folder)
    await (await login('alice')).send('alice', 'hello')
    t.match(await admin(['state', '--check']), { code: 0, out: /^damage +none$/m })
    await write(folder, 'update messages set sender_id = 1000; drop table settings')
    const { code, out, err } = await admin(['state', '--check'])
    t.equal(code, 1)
    t.match(
      out,
      /damage.*table settings: .*does not exist; 1 rows of messages have no row in users \(sender_id\)/,
    )
    t.match(err, /The database is damaged/)
  },
)

/** @returns the same claims signed with another secret. */
const signAgain = (token: string, secret: string) => {
  const claims = token.split('.').slice(0, 2).join('.')
  return `${claims}.${createHmac('sha256', secret).update(claims).digest('base64url')}`
}

t.test('a secret of the environment is rotated there, and the previous one still verifies', async (t) => {
  const [first, second, third] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)]
  const env = { JWT_SECRET: second, JWT_SECRET_PREVIOUS: first }
  const { url, folder, login } = await startServer(t, env)
  const { token } = await login('alice')
  const me = (secret: string) => call(url, 'GET', '/users/me', { token: signAgain(token, secret) })
  t.match(await me(second), { status: 200 })
  t.match(await me(first), { status: 200 })
  t.match(await me(third), { status: 401 })
  await t.rejects(operator(folder, env).change('rotate-secret', { urgent: false }), /JWT_SECRET_PREVIOUS/)
})

t.test(
  'a path too long for a socket requires a stopped server',
  { skip: only('sqlite', 'the control socket is a file beside the database.') },
  async (t) => {
    t.equal(controlAddress(resolve('x')), resolve('x'))
    t.equal(controlAddress(`/${'x'.repeat(120)}`), undefined)
    const folder = `${await temporaryFolder(t)}/${'long/'.repeat(25)}`
    mkdirSync(folder, { recursive: true })
    const { url: DATABASE_URL, change } = operator(folder)
    const { url } = await startServer(t, { DATABASE_URL })
    await t.rejects(change('revoke-every-token', {}), /in use by another server/)
    t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  },
)

t.test(
  'the scripts use a running server or else the file, and end by themselves',
  { skip: only('sqlite', 'it backs up and restores the file.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const server = await startProcess(t, folder)
    const socket = await (await loginTo(t, server.url, 'alice')).connect()
    const script = (name: Parameters<typeof runScript>[2], args: string[], input?: string) =>
      runScript(t, folder, name, args, input)
    t.match(await script('backup', ['saved']), {
      code: 0,
      out: /in saved\. Its integrity is checked/,
      err: '',
    })
    t.match(await script('admin', ['set-password', 'alice'], 'open sesame\n'), {
      code: 0,
      out: /new/,
      err: '',
    })
    t.equal((await socket.closed).code, 4401)
    t.match(await script('restore', ['saved']), {
      code: 1,
      out: '',
      err: /in use by another server\. Stop that server first/,
    })
    server.child.kill('SIGTERM')
    t.match(await server.exited, { code: 0 })

    t.match(await script('admin', ['remove-user', 'alice']), { code: 0, out: /removed/, err: '' })
    t.match(await script('backup', ['later']), { code: 0, out: /in later/, err: '' })
    t.match(await script('restore', ['saved']), { code: 0, out: /All tokens have ended/, err: '' })
    const [alice] = readRows(join(folder, 'messenger.db'), 'select password_hash, removed_at from users')
    t.strictSame(alice, { password_hash: null, removed_at: null }, 'the account exists again, unchanged')
  },
)

t.test('each command has a help text', async (t) => {
  const { admin } = operator(await temporaryFolder(t))
  t.match(await admin(['--help']), { code: 0, out: /Usage: .*rotate-secret/s })
})

t.test(
  'accounts are listed by name up to the limit, and names cannot control the terminal',
  { skip: only('sqlite', 'it takes over a file of the first version.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const names = ['zoe', '7', 'bob', '\u001b[2Jboo', 'a\u202eb']
    writeSql(
      join(folder, 'messenger.db'),
      `create table users (id integer primary key, username text);
     create table messages (id integer primary key, sender_id, receiver_id, content, timestamp);
     ${names.map((name) => `insert into users (username) values ('${name}');`).join('')}`,
    )
    await (await startServer(t, {}, folder)).app.close()
    const { admin } = operator(folder)
    const { out } = await admin(['users'])
    t.strictSame(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ +/).at(-1)),
      ['username', '<U+001B>[2Jboo', '7', 'a<U+202E>b', 'bob', 'zoe'],
    )
    const json = (await admin(['users', '--json'])).out
    t.strictSame(
      JSON.parse(json).users.map(({ username }: { username: string }) => username),
      ['\u001b[2Jboo', '7', 'a\u202eb', 'bob', 'zoe'],
    )
    for (const character of ['\u001b', '\u202e']) t.notOk(out.includes(character) || json.includes(character))
    t.notMatch((await admin(['users', '--limit', '4'])).out, /zoe/)
    for (const limit of ['abc', '0', '1.5', '-1', '']) {
      const refused = await admin(['users', `--limit=${limit}`])
      t.match(refused, { code: 1, err: /--limit.*must be a whole number above 0/ }, limit)
    }
  },
)
