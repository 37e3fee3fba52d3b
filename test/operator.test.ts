import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { controlAddress } from '../src/operator/control.ts'
import { freePort, runScript, startProcess } from './support/process.ts'
import { call, login, startServer, temporaryFolder } from './support/server.ts'

/** @returns what runs the operator's scripts on the database in `folder`. */
const operator = (folder: string, more: Record<string, string> = {}) => {
  const env = { DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`, ...more }
  return {
    admin: (args: string[], input?: string) => runScript('admin', args, { env, ...(input && { input }) }),
    backup: (file: string) => runScript('backup', [file], { env }),
    restore: (file: string) => runScript('restore', [file], { env }),
  }
}

/** Starts a process on `folder`, and ends it. */
const serve = async (t: Test, folder: string, body: (url: string) => Promise<void>) => {
  const server = await startProcess(t, folder)
  await body(server.url)
  server.child.kill('SIGTERM')
  t.match(await server.exited, { code: 0 })
}

t.test('while the server runs, the operator has it change accounts', async (t) => {
  const { url, folder, login, app } = await startServer(t)
  const { admin } = operator(folder)
  const alice = await login('alice')
  const bob = await login('bob')
  await alice.send('bob', 'hello')

  t.test('looking changes nothing', async (t) => {
    const state = await admin(['state', '--check'])
    t.match(state, { code: 0, out: /messages +│ 1 / })
    t.match(state.out, /damage +│ 'none'/)
    t.match(await admin(['users', '--prefix', 'AL']), { code: 0, out: /alice +│ 1 +│ false/ })
  })

  t.test('a password that is set is the only one that works, and tokens end', async (t) => {
    const socket = await alice.connect()
    t.match(await admin(['set-password', 'alice'], 'open sesame\n'), { code: 0, out: /new password/ })
    t.equal((await socket.closed).code, 4401)
    t.match(await alice.call('GET', '/users/me'), { status: 401 })
    t.match(await call(url, 'POST', '/login', { body: { username: 'alice' } }), { status: 401 })
    t.match(await call(url, 'POST', '/login', { body: { username: 'alice', password: 'open sesame' } }), {
      status: 200,
    })
    const { out } = await admin(['set-password', 'alice', '--generate'])
    const password = /password of alice is (\S+)/.exec(out)?.[1]
    t.match(await call(url, 'POST', '/login', { body: { username: 'alice', password } }), { status: 200 })
    t.match(await admin(['set-password', 'alice'], ''), { code: 1, err: /1 to 256/ })
    t.match(await admin(['set-password', 'nobody'], 'x'), { code: 1, err: /Nobody has this name/ })
  })

  t.test('tokens of one, and of everybody, can be revoked', async (t) => {
    const socket = await bob.connect()
    t.match(await admin(['revoke-tokens', 'bob']), { code: 0 })
    t.equal((await socket.closed).code, 4401)
    const again = await login('bob')
    const carol = await login('carol')
    const sockets = [await again.connect(), await carol.connect()]
    t.match(await admin(['revoke-tokens', '--everybody']), { code: 0 })
    for (const { closed } of sockets) t.equal((await closed).code, 4401)
    t.match(await again.call('GET', '/users/me'), { status: 401 })
    t.match(await admin(['revoke-tokens']), { code: 1, err: /either a name or --everybody/ })
  })

  t.test(
    'a rotated secret signs from now on, and the last one still verifies, unless it has leaked',
    async (t) => {
      const before = await login('dora')
      t.match(await admin(['rotate-secret']), { code: 0 })
      t.match(await before.call('GET', '/users/me'), { status: 200 })
      const after = await login('dora')
      t.match(await admin(['rotate-secret']), { code: 0 })
      t.match(await before.call('GET', '/users/me'), { status: 200 }, 'the one before the last, too')
      t.match(await after.call('GET', '/users/me'), { status: 200 })
      const key = join(folder, 'messenger.db.key')
      t.equal(readFileSync(key, 'utf8').trim().split('\n').length, 3)
      t.equal(statSync(key).mode & 0o777, 0o600)

      const socket = await after.connect()
      t.match(await admin(['rotate-secret', '--urgent']), { code: 0 })
      t.equal((await socket.closed).code, 4401)
      t.match(await after.call('GET', '/users/me'), { status: 401 })
      t.match(await (await login('dora')).call('GET', '/users/me'), { status: 200 })
    },
  )

  t.test('a removed user is gone, and its name stays taken', async (t) => {
    const erik = await login('erik')
    const socket = await erik.connect()
    t.match(await admin(['remove-user', 'erik']), { code: 0, out: /removed/ })
    t.equal((await socket.closed).code, 4401)
    t.match(await admin(['users']), { out: /erik.*'20/ })
    t.match(await admin(['remove-user', 'erik']), { code: 1, err: /Nobody/ })
    t.match(await call(url, 'POST', '/login', { body: { username: 'erik' } }), { status: 401 })
  })

  t.test('nobody else may open the way in, and garbage through it harms nobody', async (t) => {
    const address = controlAddress(app.database.beside('control')) as string
    t.equal(statSync(address).mode & 0o777, 0o600)
    for (const garbage of ['not json', '{}', '{"command":"constructor"}', '{"command":"users"}']) {
      const socket = connect(address)
      socket.end(garbage)
      socket.resume()
      await once(socket, 'close')
    }
    t.match(await call(url, 'GET', '/health/ready'), { status: 200 })
  })
})

t.test('while none runs, the same is done on the file', async (t) => {
  const folder = await temporaryFolder(t)
  const { admin } = operator(folder)
  t.match(await admin(['state']), { code: 1, err: /no database/ })
  let token = ''
  await serve(t, folder, async (url) => {
    const alice = await login(t, url, 'alice')
    await login(t, url, 'bob')
    token = alice.token
  })
  t.match(await admin(['rotate-secret']), { code: 0 })
  t.match(await admin(['remove-user', 'bob']), { code: 0 })
  await serve(t, folder, async (url) => {
    t.match(await call(url, 'GET', '/users/me', { token }), { status: 200 }, 'the last secret still verifies')
    t.match(await call(url, 'POST', '/login', { body: { username: 'bob' } }), { status: 401 })
  })
  t.match(await admin(['set-password', 'alice'], 'x'), { code: 0 })
  await serve(t, folder, async (url) => {
    t.match(await call(url, 'GET', '/users/me', { token }), { status: 401 })
  })
})

t.test('a secret of the environment is rotated there: the one before it still verifies', async (t) => {
  const [first, second] = ['a'.repeat(32), 'b'.repeat(32)]
  const folder = await temporaryFolder(t)
  const env = { DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}` }
  const one = await startServer(t, { ...env, JWT_SECRET: first })
  const alice = await one.login('alice')
  t.match(await operator(folder, { JWT_SECRET: first }).admin(['rotate-secret']), {
    code: 1,
    err: /JWT_SECRET_PREVIOUS/,
  })
  await one.app.close()
  const two = await startServer(t, { ...env, JWT_SECRET: second, JWT_SECRET_PREVIOUS: first })
  t.match(await call(two.url, 'GET', '/users/me', { token: alice.token }), { status: 200 })
  await two.app.close()
  const three = await startServer(t, { ...env, JWT_SECRET: second })
  t.match(await call(three.url, 'GET', '/users/me', { token: alice.token }), { status: 401 })
})

t.test(
  'a backup made while messages are sent holds each that was answered before, and is restored',
  async (t) => {
    const folder = await temporaryFolder(t)
    const { backup, restore, admin } = operator(folder)
    const file = join(folder, 'saved')
    let token = ''
    let cursor = ''
    let answered: number[] = []
    const port = String(await freePort())
    const server = await startProcess(t, folder, { PORT: port, RATE_LIMIT_SEND: '0' })
    const { url } = server
    const alice = await login(t, url, 'alice')
    token = alice.token
    await alice.send('bob-is-not-here', 'x').catch(() => {})
    let isOn = true
    const sent: number[] = []
    const sending = (async () => {
      while (isOn) sent.push((await alice.send('alice', 'on and on')).id)
    })()
    while (sent.length < 20) await new Promise((resolve) => setTimeout(resolve, 5))
    answered = [...sent]
    t.match(await backup(file), { code: 0, out: /was checked/ })
    isOn = false
    await sending
    t.match(await backup(file), { code: 1, err: /there already/ })
    t.match(await restore(file), { code: 1, err: /in use by another server/ })
    const socket = await alice.connect()
    await alice.send('alice', 'after the backup')
    const after = await socket.wait('message', ({ content }) => content === 'after the backup')
    cursor = after.cursor as string
    server.child.kill('SIGKILL')
    await server.exited

    const saved = new Sqlite(file, { readonly: true })
    const ids = new Set(saved.prepare('select id from messages').pluck().all())
    saved.close()
    t.ok(
      answered.every((id) => ids.has(id)),
      `${ids.size} messages, each that was answered before among them`,
    )
    t.equal(statSync(file).mode & 0o777, 0o600)

    const restored = await restore(file)
    t.match(restored, { code: 0, out: /Every token has ended/ })
    const kept = /kept in (\S+)\./.exec(restored.out)?.[1] as string
    t.ok(existsSync(kept), 'what was there is kept')
    await serve(t, folder, async (url) => {
      t.match(await call(url, 'GET', '/users/me', { token }), { status: 401 }, 'old tokens hold no more')
      const alice = await login(t, url, 'alice')
      t.equal((await alice.history('alice', '?limit=1000')).length, ids.size)
      t.match(await alice.call('GET', `/sync?cursor=${cursor}`), {
        status: 410,
        body: { code: 'CURSOR_UNKNOWN' },
      })
    })

    t.test('what is no backup is not put in its place', async (t) => {
      writeFileSync(join(folder, 'text'), 'no database at all, '.repeat(500))
      for (const bad of ['text', 'absent']) {
        t.match(await restore(join(folder, bad)), { code: 1 })
      }
      t.match(await admin(['state', '--check']), { code: 0, out: /damage +│ 'none'/ })
    })

    t.test('a damaged database is replaced, and a damaged one is not backed up', async (t) => {
      const path = join(folder, 'messenger.db')
      const bytes = readFileSync(path)
      bytes.fill(0x55, 4096 * 3, bytes.length)
      writeFileSync(path, bytes)
      t.match(await backup(join(folder, 'bad')), { code: 1 })
      t.notOk(existsSync(join(folder, 'bad')))
      t.match(await restore(file), { code: 0 })
      t.match(await admin(['state', '--check']), { code: 0, out: /damage +│ 'none'/ })
    })
  },
)
