import { spawn, spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { StorageError } from '../../db/errors.ts'
import { AppError } from '../../src/errors.ts'
import { createProblemLog } from '../../src/http/problem-log.ts'
import { startLogged } from '../support/logged.ts'
import { startProcess } from '../support/process.ts'
import { call, login, person, temporaryFolder } from '../support/server.ts'
import { connect, refusedHandshake } from '../support/socket.ts'

t.test(
  'at debug each request is logged with method, route, status and user, and without user content',
  async (t) => {
    const { url, lines, text } = await startLogged(t, 'trace')
    const { body } = await call<never>(url, 'POST', '/login', {
      body: { username: 'alice', password: 'open-sesame' },
    })
    const alice = person(t, url, body)
    await alice.send('alice', 'a private thought')
    await alice.call('GET', '/history/alice?after=0')
    await alice.call('GET', `/users?prefix=${alice.token}`)
    await call(url, 'POST', '/login', { body: '{"username":"alice","password":"open-sesame' })
    await call(url, 'GET', '/users/me', { token: `${alice.token}x` })
    const socket = await alice.connect()
    const browser = await connect(t, url, '', {
      protocols: ['messenger.v1', `bearer.${alice.token}`],
      headers: { authorization: '' },
    })
    await browser.request({ type: 'auth', token: alice.token })
    await refusedHandshake(`${url}/ws`, {}, ['messenger.v1', `bearer.${alice.token}x`])
    await refusedHandshake(`${url}/ws?token=${alice.token}`, {}, ['messenger.v1'])
    await socket.request({ type: 'send', receiver_username: 'alice', content: 'another private thought' })
    await socket.request({ type: 'nonsense', content: 'a private thought' })
    const requests = lines().filter(({ msg }) => msg === 'request')
    t.match(
      requests.map(({ method, route, status, user_id }) => ({ method, route, status, user_id })),
      [
        { method: 'POST', route: '/login', status: 200 },
        { method: 'POST', route: '/send', status: 200, user_id: 1 },
        { method: 'GET', route: '/history/:username', status: 200, user_id: 1 },
        { method: 'GET', route: '/users', status: 400 },
        { method: 'POST', route: '/login', status: 400 },
        { method: 'GET', route: '/users/me', status: 401 },
      ],
    )
    t.ok(requests.every(({ reqId }) => reqId))
    for (const secret of [alice.token, 'open-sesame', 'private thought']) {
      t.notMatch(text(), secret, 'no tokens, passwords or contents')
    }
  },
)

t.test(
  'at info requests are not logged, and an internal error is logged with its request and user',
  async (t) => {
    const { app, url, lines } = await startLogged(t, 'info')
    const alice = await login(t, url, 'alice')
    await alice.send('alice', 'one')
    const before = lines().length
    const { reader } = app.database
    t.intercept(reader, 'all', { value: () => Promise.reject(new Error('a secret inside')) })
    const { status, body } = await alice.call('GET', '/blocks')
    t.equal(status, 500)
    t.notMatch(JSON.stringify(body), /a secret inside/)
    const added = lines().slice(before)
    t.match(added, [{ level: 50, reqId: body.request_id, user_id: alice.id, code: 'INTERNAL' }])
    t.equal(added.length, 1)
  },
)

t.test('each internal error over a socket is logged with its user and the sent error', async (t) => {
  const { app, url, lines } = await startLogged(t, 'info')
  const alice = await login(t, url, 'alice')
  const socket = await alice.connect()
  const before = lines().length
  t.intercept(app.database.writer, 'append', { value: () => Promise.reject(new Error('a secret inside')) })
  for (let round = 0; round < 2; round += 1) {
    const reply = await socket.request({ type: 'send', receiver_username: 'alice', content: 'x' })
    t.match(reply, { type: 'error', retryable: true, problem: { code: 'INTERNAL' } })
    const reqId = reply.type === 'error' ? reply.problem.request_id : ''
    t.match(lines().at(-1), {
      level: 50,
      reqId,
      user_id: alice.id,
      err: { message: 'a secret inside', stack: /at / },
    })
  }
  t.equal(lines().length, before + 2)
})

t.test('a failing disk is logged once, however many requests it refuses over HTTP and sockets', async (t) => {
  const { app, url, lines } = await startLogged(t, 'info')
  const alice = await login(t, url, 'alice')
  const socket = await alice.connect()
  const send = { receiver_username: 'alice', content: 'x' }
  const before = lines().length
  const full = new StorageError('full', 'what SQLite says')
  t.intercept(app.database.writer, 'append', { value: () => Promise.reject(full) })
  const { body } = await alice.call('POST', '/send', send)
  for (let round = 0; round < 20; round += 1) {
    t.match(await alice.call('POST', '/send', send), { status: 503 })
    t.match(await socket.request({ type: 'send', ...send }), { type: 'error' })
  }
  t.match(lines().slice(before), [
    {
      level: 50,
      code: 'STORAGE_UNAVAILABLE',
      reqId: body.request_id,
      user_id: alice.id,
      err: { message: 'what SQLite says', stack: /at / },
    },
  ])
  t.equal(lines().length, before + 1)
})

t.test('overload is logged as a warning without a stack, and a stop is not logged', async (t) => {
  const { app, url, lines } = await startLogged(t, 'info')
  const alice = await login(t, url, 'alice')
  const before = lines().length
  for (const code of ['OVERLOADED', 'SHUTTING_DOWN'] as const) {
    t.intercept(app.database.writer, 'append', {
      value: () => Promise.reject(new AppError(code, 'Not now.')),
    })
    for (let round = 0; round < 20; round += 1) {
      t.match(await alice.call('POST', '/send', { receiver_username: 'alice', content: 'x' }), {
        status: 503,
      })
    }
  }
  const [line, ...more] = lines().slice(before)
  t.match(line, { level: 40, code: 'OVERLOADED', user_id: alice.id })
  t.notOk('err' in (line as object))
  t.strictSame(more, [])
})

t.test('the end of a temporary failure is logged once, and a later failure is logged again', async (t) => {
  const lines: { level: string; text: string; code?: string; refused?: number }[] = []
  const written = new EventEmitter()
  const write = (level: string) => (details: object, text: string) => {
    lines.push({ level, text, ...details })
    written.emit('line')
  }
  const log = createProblemLog({ error: write('error'), warn: write('warn'), info: write('info') }, 50)
  t.teardown(() => log.stop())
  const full = new AppError('STORAGE_UNAVAILABLE', 'The disk is full.')
  for (let round = 0; round < 3; round += 1) log.note(full, {})
  log.note(new AppError('STORAGE_UNAVAILABLE', 'The disk is read-only.'), {})
  // The timer does not keep the process running.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  while (lines.length < 4) await once(written, 'line')
  log.note(full, {})
  t.match(lines, [
    { level: 'error', text: 'The disk is full.' },
    { level: 'error', text: 'The disk is read-only.' },
    { level: 'info', text: 'over: The disk is full.', code: 'STORAGE_UNAVAILABLE', refused: 3 },
    { level: 'info', text: 'over: The disk is read-only.', refused: 1 },
    { level: 'error', text: 'The disk is full.' },
  ])
  t.equal(log.counts.get('STORAGE_UNAVAILABLE'), 5)
})

t.test('the most verbose log contains no token, password or content', async (t) => {
  const folder = await temporaryFolder(t)
  const { url, child, exited, output } = await startProcess(t, folder, { LOG_LEVEL: 'trace' })
  const { body } = await call<never>(url, 'POST', '/login', {
    body: { username: 'alice', password: 'open-sesame' },
  })
  const alice = person(t, url, body)
  await alice.send('alice', 'a private thought')
  await call(url, 'GET', `/users?prefix=${alice.token}`, { token: alice.token })
  const browser = await connect(t, url, '', {
    protocols: ['messenger.v1', `bearer.${alice.token}`],
    headers: { authorization: '' },
  })
  await browser.request({ type: 'send', receiver_username: 'alice', content: 'another private thought' })
  browser.send('{"content":"a private thought')
  await browser.wait('error')
  child.kill('SIGTERM')
  await exited
  t.match(output(), /"route":"\/send"/)
  for (const secret of [alice.token, 'open-sesame', 'private thought']) t.notMatch(output(), secret)
})

/** script(1) of util-linux gives a command a terminal. Other versions take other arguments. */
const hasScript = /util-linux/.test(String(spawnSync('script', ['--version']).stdout))

t.test(
  'the log is human-readable on a terminal',
  { skip: !hasScript && 'no script(1) of util-linux here' },
  async (t) => {
    const entry = fileURLToPath(new URL('../../bin/messenger.js', import.meta.url))
    const child = spawn('script', ['-qec', `"${process.execPath}" "${entry}"`, '/dev/null'], {
      cwd: await temporaryFolder(t),
      env: { ...process.env, HOST: '127.0.0.1', PORT: '0' },
    })
    t.teardown(() => child.kill('SIGKILL'))
    let output = ''
    for await (const chunk of child.stdout) {
      output += chunk
      // Ctrl-C, as a user sends it.
      if (output.includes('listening on') && child.stdin.writable) child.stdin.end('\x03')
    }
    t.match(output, /^\S*\[\d\d:\d\d:\d\d\.\d{3}\].*INFO.*listening on http/m)
    t.notMatch(output, '{"level"')
  },
)
