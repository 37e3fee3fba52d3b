import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ISSUER, issuedToken, issuerEnv, rsaIssuer } from '../support/issuer.ts'
import { freePort, startProcess } from '../support/process.ts'
import { dial } from '../support/raw.ts'
import { call, login, type Person, temporaryFolder } from '../support/server.ts'
import { databaseEnvironment, only, onPostgres, rows, write } from '../support/test-database.ts'

const entry = fileURLToPath(new URL('../../bin/messenger.js', import.meta.url))

/** Runs the entry file until it ends. */
const run = async (cwd: string, env: Record<string, string>, node = process.execPath) => {
  const child = spawn(node, [entry], { cwd, env: { ...process.env, HOST: '127.0.0.1', PORT: '0', ...env } })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  return { code, output }
}

t.test('the process serves two users with several devices and prints its address', async (t) => {
  const folder = await temporaryFolder(t)
  const { url, child, exited, output } = await startProcess(t, folder)
  t.match(output(), `database: ${databaseEnvironment(folder).DATABASE_URL ?? 'sqlite:messenger.db'}`)
  t.match(output(), /auth mode open/)
  t.match(output(), `listening on ${url}`)
  t.equal(
    existsSync(join(folder, 'messenger.db')),
    !onPostgres,
    'SQLite has its file in the working directory',
  )

  const [alice, bob] = [await login(t, url, 'alice'), await login(t, url, 'bob')]
  const devices = [
    await bob.connect(),
    await bob.connect({ plain: true }),
    await bob.connect({ plain: true }),
  ]
  const mine = await alice.connect()
  const { id } = await alice.send('bob', 'hello')
  for (const device of devices) t.equal((await device.wait('message')).id, id)
  t.equal((await mine.wait('message')).id, id)
  devices[1]?.send({ receiver_username: 'alice', content: 'back' })
  await mine.wait('message', ({ content }) => content === 'back')
  t.match(await alice.history('bob'), [{ content: 'hello' }, { content: 'back' }])

  const closed = [...devices, mine].map((device) => device.closed)
  child.kill('SIGTERM')
  for (const end of closed) t.match(await end, { code: 1001 })
  t.strictSame(await exited, { code: 0, signal: null })
})

t.test('a server killed during a stream has each acknowledged message exactly once', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startProcess(t, folder, { RATE_LIMIT_SEND: '0' })
  const [alice, bob] = [await login(t, first.url, 'alice'), await login(t, first.url, 'bob')]
  const socket = await alice.connect()
  const answered = new Map<string, number>()
  const attempted: { content: string; client_id: string }[] = []
  const attempt = (content: string) => {
    const message = { content, client_id: `k-${content}` }
    attempted.push(message)
    return message
  }
  const overHttp = async (lane: number) => {
    for (let n = 0; ; n++) {
      const { content, client_id } = attempt(`h${lane}-${n}`)
      answered.set(content, (await bob.send('alice', content, { client_id })).id)
    }
  }
  socket.socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString())
    if (frame.type !== 'ack') return
    answered.set(frame.message.content, frame.message.id)
    socket.send({ receiver_username: 'bob', ...attempt(`w${attempted.length}`) })
    // At this moment many sends are acknowledged and many are in flight.
    if (answered.size >= 300) first.child.kill('SIGKILL')
  })
  for (let n = 0; n < 16; n++) socket.send({ receiver_username: 'bob', ...attempt(`start${n}`) })
  await Promise.allSettled([1, 2, 3, 4].map(overHttp))
  t.equal((await first.exited).signal, 'SIGKILL')

  const second = await startProcess(t, folder)
  const again = await login(t, second.url, 'alice')
  const stored = new Map<string, number>()
  for (let after = 0; ; ) {
    const page = await again.history('bob', `?after=${after}&limit=1000`)
    for (const { content, id } of page) {
      t.notOk(stored.has(content), 'no message is stored twice')
      stored.set(content, id)
    }
    if (page.length < 1000) break
    after = page.at(-1)?.id ?? 0
  }
  t.ok(answered.size >= 300)
  for (const [content, id] of answered) t.equal(stored.get(content), id, content)

  const people: Record<string, [Person, string]> = { h: [await login(t, second.url, 'bob'), 'alice'] }
  for (const { content, client_id } of attempted.slice(-30)) {
    const [person, receiver] = people[content[0] as string] ?? [again, 'bob']
    const sent = await person.send(receiver, content, { client_id })
    if (stored.has(content))
      t.equal(sent.id, stored.get(content), 'an unacknowledged send can be retried and is stored once')
  }
  second.child.kill('SIGINT')
  t.strictSame(await second.exited, { code: 0, signal: null })
})

t.test(
  'a server stopped with a mute client and a half-sent request answers and ends by itself',
  async (t) => {
    const folder = await temporaryFolder(t)
    const { url, child, exited } = await startProcess(t, folder)
    const alice = await login(t, url, 'alice')
    const mute = await alice.connect()
    mute.socket.pause()
    const half = await dial(t, url)
    half.write(
      'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{',
    )
    const idle = await dial(t, url)
    idle.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
    await idle.until((bytes) => bytes.length > 0)
    const busy = await alice.connect()
    for (let n = 0; n < 100; n++) busy.send({ receiver_username: 'alice', content: `${n}` })
    await busy.wait('ack')
    child.kill('SIGTERM')
    child.kill('SIGTERM')
    t.match(await busy.closed, { code: 1001, reason: 'going away' })
    t.strictSame(await exited, { code: 0, signal: null })
    const acked = busy.frames.filter(({ type }) => type === 'ack').length
    t.notOk(existsSync(join(folder, 'messenger.db-wal')), 'no write-ahead log remains')
    const stored = await rows(folder, 'select id from messages')
    t.equal(stored.length, acked, 'each stored message was acknowledged')
  },
)

t.test('a configuration error is one sentence, with exit code 1', async (t) => {
  const folder = await temporaryFolder(t)
  for (const [env, sentence] of [
    [{ PORT: 'x' }, /PORT must be integer.*\.env\.example/],
    [{ DATABASE_URL: 'mysql://x' }, /DATABASE_URL is "mysql:\/\/x"/],
    [{ NODE_ENV: 'production' }, /AUTH_MODE is not set/],
    [{ HOST: '127.0.0.1', PORT: '1', DATABASE_URL: 'sqlite:no/folder/x.db' }, /no\/folder/],
  ] as [Record<string, string>, RegExp][]) {
    const { code, output } = await run(folder, env)
    t.equal(code, 1)
    t.match(output, sentence)
    t.notMatch(output, /\n +at /, 'no stack')
  }
})

t.test('a port in use is reported', async (t) => {
  const folder = await temporaryFolder(t)
  const { port, child, exited } = await startProcess(t, folder)
  const other = await temporaryFolder(t)
  const { code, output } = await run(other, { ...databaseEnvironment(other), PORT: String(port) })
  t.equal(code, 1)
  t.match(output, `Port ${port} is in use`)
  child.kill('SIGINT')
  await exited
})

t.test(
  'a database in use is reported',
  { skip: only('sqlite', 'several servers share a database on PostgreSQL.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const { child, exited } = await startProcess(t, folder)
    t.match(await run(folder, {}), { code: 1, output: /in use by another server/ })
    child.kill('SIGINT')
    await exited
  },
)

t.test('settings can come from .env, and the environment overrides them', async (t) => {
  const folder = await temporaryFolder(t)
  const port = await freePort()
  writeFileSync(join(folder, '.env'), `PORT=1\nDATABASE_URL=sqlite:other.db\nAUTH_MODE=password\n`)
  const { url, child, exited, output } = await startProcess(t, folder, { PORT: String(port) })
  t.match(output(), `database: ${databaseEnvironment(folder).DATABASE_URL ?? 'sqlite:other.db'}`)
  t.match(output(), /auth mode password/)
  t.match(output(), /registration is open: anyone who can reach this server can create an account/)
  t.equal((await call(url, 'POST', '/login', { body: { username: 'x' } })).status, 401)
  child.kill('SIGTERM')
  await exited
})

t.test('the process says whose tokens it accepts, and a mistake in the list stops the start', async (t) => {
  const folder = await temporaryFolder(t)
  const env = { ...issuerEnv(rsaIssuer), AUTH_MODE: 'external' }
  const { url, child, exited, output } = await startProcess(t, folder, env)
  t.match(output(), /auth mode external: no logins, only tokens of the app/)
  t.match(output(), `tokens of ${ISSUER} are accepted`)
  t.equal((await call(url, 'GET', '/users/me', { token: issuedToken('ann') })).status, 200)
  child.kill('SIGTERM')
  await exited
  const { code, output: refused } = await run(folder, {
    ...databaseEnvironment(folder),
    ...issuerEnv({ ...rsaIssuer, public_key: 'x' }),
  })
  t.equal(code, 1)
  t.match(refused, /Entry 0 of TOKEN_ISSUERS has a public_key that is neither a PEM text nor a JWK/)
  t.notMatch(refused, /\n +at /, 'no stack')
})

t.test(
  'an untrustworthy database file ends the process',
  { skip: only('sqlite', 'it changes the file.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const { url, exited } = await startProcess(t, folder)
    const alice = await login(t, url, 'alice')
    await write(folder, 'update counter set last = 5; pragma wal_checkpoint(truncate)')
    writeFileSync(join(folder, 'messenger.db'), Buffer.alloc(100_000, 'x'))
    const reply = await alice.call('POST', '/send', { receiver_username: 'alice', content: 'x' })
    t.match(reply, { status: 503, body: { code: 'STORAGE_UNAVAILABLE' } }, 'the send is not acknowledged')
    t.strictSame(await exited, { code: 1, signal: null })
  },
)

t.test('an old version of Node is refused with a reason', async (t) => {
  const old = ['/usr/local/bin/node', '/usr/bin/node'].find(
    (path) =>
      existsSync(path) &&
      Number.parseInt(
        execFileSync(path, ['-p', 'process.versions.node'], { env: {}, encoding: 'utf8' }),
        10,
      ) < 24,
  )
  if (old) {
    const version = await run(process.cwd(), { NODE_OPTIONS: '' }, old)
    t.equal(version.code, 1)
    t.match(version.output, /messenger needs Node\.js 24\.7 or newer, but this is v\d+/)
    t.notMatch(version.output, /\n +at /)
  } else {
    const script = readFileSync(entry, 'utf8')
    t.ok(script.indexOf('process.exit(1)') < script.indexOf('import('), 'the check runs before any import')
  }
})
