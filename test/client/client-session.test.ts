import t from 'tap'
import { login, unwrap } from '../../client/src/index.ts'
import { collect, createMessenger, next, nextState, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'

t.test('a token is renewed before it ends, and the socket stays', async (t) => {
  // The last quarter of its life is for trying again, and on a busy machine that takes a second.
  const { url } = await startServer(t, { TOKEN_TTL: '10' })
  let failures = 1
  const messenger = createMessenger(t, {
    url,
    username: 'alice',
    fetch: (request) => {
      if (!request.url.endsWith('/token') || failures === 0) return fetch(request)
      failures -= 1
      return Promise.reject(new Error('the network is away'))
    },
  })
  const states = collect(messenger, 'state')
  await open(messenger)
  const first = messenger.session?.token
  await next(messenger, 'session')
  await next(messenger, 'session')
  t.not(messenger.session?.token, first)
  await messenger.send({ receiver_username: 'alice', content: 'still here' })
  t.strictSame(
    states.map(({ state }) => state),
    ['connecting', 'online'],
  )
})

t.test('where the session has ended, one who gave a name is logged in again, another is told', async (t) => {
  const { url } = await startServer(t)
  const session = await login(url, { username: 'alice' })
  const byName = createMessenger(t, { url, username: 'alice' })
  const bySession = createMessenger(t, { url, session })
  await Promise.all([open(byName), open(bySession)])
  const stopped = nextState(bySession, 'stopped')
  const again = nextState(byName, 'connecting').then(() => nextState(byName, 'online'))
  await unwrap(bySession.api.POST('/logout', { params: { query: { everywhere: true } } }))
  t.match((await stopped).error, { code: 'SIGNED_OUT' })
  await again
  await t.rejects(bySession.connect(), { code: 'SIGNED_OUT' }, 'and is told again')

  const dead = createMessenger(t, { url, session })
  await t.rejects(dead.connect(), { code: 'SIGNED_OUT' }, 'a handshake with a dead token')
  const withName = createMessenger(t, { url, session, username: 'alice' })
  await withName.connect()
  await withName.logout()
  t.equal(withName.state, 'closed')
})

t.test('a token that can no longer be renewed ends the session', async (t) => {
  const { url } = await startServer(t)
  const session = await login(url, { username: 'alice' })
  const problem = { code: 'UNAUTHORIZED', detail: 'no', status: 401, title: '', type: '', request_id: '' }
  const messenger = createMessenger(t, {
    url,
    session,
    fetch: (request) =>
      request.url.endsWith('/token')
        ? Promise.resolve(Response.json(problem, { status: 401 }))
        : fetch(request),
  })
  const stopped = nextState(messenger, 'stopped')
  await messenger.connect()
  t.match((await stopped).error, { code: 'SIGNED_OUT' })
})

t.test('an account with a password asks for it', async (t) => {
  const { url } = await startServer(t)
  await login(url, { username: 'alice', password: 'correct horse' })
  await t.rejects(createMessenger(t, { url, username: 'alice' }).connect(), {
    code: 'PASSWORD_REQUIRED',
    status: 401,
  })
  await createMessenger(t, { url, username: 'alice', password: 'correct horse' }).connect()
})
