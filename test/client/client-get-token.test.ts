import t, { type Test } from 'tap'
import { type GetToken, MessengerError, type MessengerOptions, unwrap } from '../../client/src/index.ts'
import { collect, createMessenger, next, nextState, open } from '../support/client.ts'
import { issuedToken, issuerEnv, rsaIssuer, seconds } from '../support/issuer.ts'
import { startProcess } from '../support/process.ts'
import { createApp } from '../support/server-key.ts'
import { logIn, type Server, startServer, temporaryFolder } from '../support/server.ts'

/** The app: it knows its user, and hands out tokens of that user. */
const startApp = async (t: Test, server: Pick<Server, 'url'>, options: Partial<MessengerOptions> = {}) => {
  const app = {
    user: 'alice',
    calls: 0,
    /** Replaces the reply to the next call. */
    instead: undefined as GetToken | undefined,
  }
  const newToken = async () => (await logIn(server.url, app.user)).token
  const messenger = createMessenger(t, {
    url: server.url,
    getToken: () => {
      app.calls += 1
      const { instead } = app
      app.instead = undefined
      return instead ? instead() : newToken()
    },
    ...options,
  })
  return { app, messenger, newToken }
}

const refuseAllTokens = async ({ call }: Server, token: string) => {
  await call('POST', '/logout?everywhere=true', { token })
}

t.test('an app’s page connects with the tokens of its own users', async (t) => {
  const server = await startServer(t)
  await server.login('bob')
  const { app, messenger } = await startApp(t, server)
  const sessions = collect(messenger, 'session')
  t.equal(messenger.session, undefined)
  const [{ cursor }, { blocks }] = await Promise.all([
    unwrap(messenger.api.GET('/conversations')),
    unwrap(messenger.api.GET('/blocks')),
  ])
  t.strictSame(blocks, [], 'calls before connect() have a token too')
  await messenger.connect({ cursor })
  t.match(messenger.session, { user: { username: 'alice' }, expires_at: /^\d{4}-/ })
  t.match(await messenger.send({ receiver_username: 'bob', content: 'hello' }), { sender: 'alice' })
  t.equal(app.calls, 1, 'and share one call')
  t.equal(sessions.length, 1)
})

t.test('a token of the app is renewed before it ends, and the socket stays', async (t) => {
  const server = await startServer(t, { TOKEN_TTL: '8' })
  const { app, messenger } = await startApp(t, server)
  const states = collect(messenger, 'state')
  await open(messenger)
  const first = messenger.session?.token
  app.instead = () => Promise.reject(new Error('the app restarts'))
  await next(messenger, 'session')
  await next(messenger, 'session')
  t.not(messenger.session?.token, first)
  t.equal(app.calls, 4)
  t.match(await messenger.send({ receiver_username: 'alice', content: 'still here' }), { id: Number })
  t.strictSame(
    states.map(({ state }) => state),
    ['connecting', 'online'],
  )
})

t.test('tokens that the app signs itself are renewed by their `exp`, and after a logout', async (t) => {
  const server = await startServer(t, issuerEnv(rsaIssuer))
  const backend = await createApp(server)
  let tokens = 0
  const messenger = createMessenger(t, {
    url: server.url,
    getToken: async () => {
      tokens += 1
      return tokens === 1
        ? issuedToken('ann', { name: 'Ann', iat: undefined, exp: seconds() + 8 })
        : issuedToken('ann', { name: 'Ann', jti: String(tokens) })
    },
  })
  await open(messenger)
  t.match(messenger.session?.user, { username: 'ann', profile: { display_name: 'Ann' } })
  await next(messenger, 'session')
  t.equal(tokens, 2)
  t.equal(messenger.state, 'online')

  const again = nextState(messenger, 'connecting').then(() => nextState(messenger, 'online'))
  // Tokens of the same second end too. The client then waits for a second.
  t.match(await backend.call('POST', '/users/ann/logout'), { status: 204 })
  await again
  await messenger.send({ receiver_username: 'ann', content: 'back' })
})

t.test('a device whose clock is wrong does not renew its token all the time', async (t) => {
  // In a process of its own, the server keeps the right time.
  const { url } = await startProcess(t, await temporaryFolder(t), { TOKEN_TTL: '3600' })
  const { now } = Date
  t.teardown(() => {
    Date.now = now
  })
  for (const hours of [48, -48]) {
    Date.now = () => now() + hours * 3_600_000
    const { app, messenger } = await startApp(t, { url })
    await open(messenger)
    await messenger.send({ receiver_username: 'alice', content: 'hello' })
    t.equal(app.calls, 1)
  }
})

t.test('a refused token is replaced once, on the socket and in a call', async (t) => {
  const server = await startServer(t)
  const { app, messenger } = await startApp(t, server)
  await open(messenger)
  const again = nextState(messenger, 'connecting').then(() => nextState(messenger, 'online'))
  await refuseAllTokens(server, messenger.session?.token as string)
  await again
  t.equal(app.calls, 2)

  const { app: other, messenger: withoutSocket } = await startApp(t, server)
  await unwrap(withoutSocket.api.GET('/users/me'))
  await refuseAllTokens(server, withoutSocket.session?.token as string)
  const body = { receiver_username: 'alice', content: 'a call with a body', client_id: 'once' }
  const [sent, me] = await Promise.all([
    unwrap(withoutSocket.api.POST('/send', { body })),
    unwrap(withoutSocket.api.GET('/users/me')),
  ])
  t.match(sent, { content: body.content })
  t.match(me, { username: 'alice' })
  t.equal(other.calls, 2)
})

t.test('a token that was refused before is tried for one more time, then the client stops', async (t) => {
  const server = await startServer(t)
  const { app, messenger, newToken } = await startApp(t, server)
  const stale = await newToken()
  await refuseAllTokens(server, stale)
  app.instead = () => stale
  const waiting = nextState(messenger, 'waiting')
  const connected = messenger.connect()
  t.match((await waiting).error, { code: 'UNAUTHORIZED', retryable: true })
  await connected
  t.equal(app.calls, 2)

  const { messenger: other, app: otherApp } = await startApp(t, server, { getToken: () => stale })
  const stopped = nextState(other, 'stopped')
  await t.rejects(other.connect(), { code: 'UNAUTHORIZED', retryable: false, problem: { status: 401 } })
  t.match((await stopped).error, { code: 'UNAUTHORIZED' })
  t.equal(otherApp.calls, 0)
})

t.test('a getToken() that fails, hangs or returns something else is reported', async (t) => {
  const server = await startServer(t)
  const { app, messenger, newToken } = await startApp(t, server, { timeout: 300 })
  const failures: [GetToken, RegExp][] = [
    [() => Promise.reject(new TypeError('Failed to fetch')), /getToken\(\) failed: Failed to fetch/],
    [
      () => {
        throw 'thrown at once'
      },
      /getToken\(\) failed: thrown at once/,
    ],
    [() => new Promise<string>(() => {}), /did not settle within 300 ms/],
    [() => '<!doctype html><p>Log in</p>', /did not return a JSON Web Token/],
    [() => `e30.${btoa('{"sub":"1"}')}.e30`, /the claim `exp`/],
  ]
  const refuse = async () => {
    for (const [instead, message] of failures) {
      app.instead = instead
      t.match((await nextState(messenger, 'waiting')).error, { code: 'NO_TOKEN', retryable: true, message })
    }
  }
  const refused = refuse()
  await messenger.connect()
  await refused
  t.equal(app.calls, failures.length + 1)

  const unreachable = createMessenger(t, { url: 'http://127.0.0.1:1', getToken: newToken })
  const waiting = nextState(unreachable, 'waiting')
  const unreached = t.rejects(unreachable.connect(), { code: 'CLOSED' })
  t.match((await waiting).error, { code: 'NETWORK', retryable: true })
  await Promise.all([unreached, unreachable.close()])

  const end = (getToken: GetToken) => createMessenger(t, { url: server.url, getToken }).connect()
  await t.rejects(
    end(() => {
      throw new MessengerError('SIGNED_OUT', 'The user has logged out of the app.')
    }),
    { code: 'SIGNED_OUT', message: /of the app/ },
  )
  await t.rejects(
    end(async () => ({ token: 'x' }) as never),
    { code: 'INVALID_OPTION', message: /Return the token/ },
  )
})

t.test('a token of another user stops the client, which never acts as that user', async (t) => {
  const server = await startServer(t)
  const { app, messenger } = await startApp(t, server)
  await open(messenger)
  app.user = 'bob'
  const stopped = nextState(messenger, 'stopped')
  await refuseAllTokens(server, messenger.session?.token as string)
  const error = { code: 'WRONG_USER', message: /a token of bob, but this client belongs to alice/ }
  t.match((await stopped).error, error)
  await t.rejects(messenger.connect(), error, 'again')
  await t.rejects(unwrap(messenger.api.GET('/users/me')), error, 'in a call too')
  app.user = 'alice'
  await messenger.connect()
  t.equal(messenger.hello?.user.username, 'alice')
})

t.test('close() ends the wait for a token', async (t) => {
  const server = await startServer(t)
  const { app, messenger } = await startApp(t, server)
  const called = new Promise<void>((resolve) => {
    app.instead = () => {
      resolve()
      return new Promise(() => {})
    }
  })
  const connecting = messenger.connect()
  await called
  await Promise.all([t.rejects(connecting, { code: 'CLOSED' }), messenger.close()])
  await t.rejects(unwrap(messenger.api.GET('/users/me')), { code: 'CLOSED' })
})

t.test('getToken excludes the other ways to log in', (t) => {
  const url = 'http://127.0.0.1'
  const getToken = () => ''
  const invalid = { code: 'INVALID_OPTION', message: /`getToken` must be a function, and replaces/ }
  t.throws(() => createMessenger(t, { url, getToken, username: 'alice' }), invalid)
  t.throws(() => createMessenger(t, { url, getToken: 'token' as never }), invalid)
  t.end()
})
