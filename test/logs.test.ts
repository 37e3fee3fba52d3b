import { Writable } from 'node:stream'
import t from 'tap'
import { join } from 'node:path'
import { AppError } from '../src/errors.ts'
import { buildApp } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import { call, login, person, temporaryFolder } from './support/server.ts'

type Line = { level: number; reqId?: string; user_id?: number; [member: string]: unknown }

/** A server whose log is kept as its lines. */
const startLogged = async (t: Parameters<typeof temporaryFolder>[0], level: string) => {
  const folder = await temporaryFolder(t)
  const config = loadConfig({ DATABASE_URL: `sqlite:${join(folder, 'messenger.db')}`, LOG_LEVEL: level })
  let text = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk
      done()
    },
  })
  const app = await buildApp(config, { logger: { level, stream } })
  t.teardown(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const lines = () =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
  return { app, url, lines, text: () => text }
}

t.test(
  'at debug each request is a line: method, route, status, user, and nothing that people wrote',
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
    await socket.ask({ type: 'send', receiver_username: 'alice', content: 'another private thought' })
    await socket.ask({ type: 'nonsense', content: 'a private thought' })
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
      t.notMatch(text(), secret, 'neither tokens, nor passwords, nor contents')
    }
  },
)

t.test(
  'at info requests are no lines, and a fault of ours is one, with its request and its user',
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

t.test('a problem over a socket is logged where it is a fault of ours, with its user', async (t) => {
  const { app, url, lines } = await startLogged(t, 'info')
  const alice = await login(t, url, 'alice')
  const socket = await alice.connect()
  t.intercept(app.database.writer, 'append', { value: () => Promise.reject(new Error('a secret inside')) })
  const answer = await socket.ask({ type: 'send', receiver_username: 'alice', content: 'x' })
  t.match(answer, { type: 'error', retryable: true, problem: { code: 'INTERNAL' } })
  t.match(lines().at(-1), { level: 50, user_id: alice.id, err: { message: 'a secret inside' } })
  t.intercept(app.database.writer, 'append', { value: () => Promise.reject(new AppError('OVERLOADED', 'x')) })
  await socket.ask({ type: 'send', receiver_username: 'alice', content: 'x' })
})
