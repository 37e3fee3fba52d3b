import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import t, { type Test } from 'tap'
import { login, Messenger, MessengerError } from '../../client/src/index.ts'
import { createMessenger, nextState } from '../support/client.ts'
import { runOutsideTap } from '../support/environment.ts'
import { session } from '../support/fake-socket.ts'
import { listen } from '../support/listen.ts'
import { startServer } from '../support/server.ts'

/** Sets a member of the runtime for one test; undefined stands for a runtime without it. */
const pretend = (t: Test, name: string, value: unknown) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, name)
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  t.teardown(() => {
    if (before) Object.defineProperty(globalThis, name, before)
    else Reflect.deleteProperty(globalThis, name)
  })
}

/** @returns why the first attempt failed, of a client that goes on trying */
const whyWaiting = async (t: Test, url: string, options: object = { username: 'alice' }) => {
  const messenger = createMessenger(t, { url, backoff: { min: 1e9, max: 1e9 }, ...options })
  const waiting = nextState(messenger, 'waiting')
  messenger.connect().catch(() => {})
  const { error } = await waiting
  return error as MessengerError
}

const urls: [url: string, message: RegExp][] = [
  ['localhost:3000', /Did you mean 'http:\/\/localhost:3000'\?/],
  ['chat.example', /Did you mean 'http:\/\/chat.example'\?/],
  ['/chat', /does not start with http:\/\/ or https:\/\/. Pass/],
  ['ftp://127.0.0.1', /does not start with http:\/\/ or https:\/\/. Pass/],
  ['ws://localhost:3000', /Pass 'http:\/\/localhost:3000' instead/],
  ['wss://localhost:3000', /Pass 'https:\/\/localhost:3000' instead/],
  ['http://', /is not a valid URL/],
  ['http://localhost:99999', /is not a valid URL/],
  ['http://alice:secret@localhost:3000', /as `username` and `password`/],
  ['http://localhost:3000?room=1', /has a query or a fragment. Remove it/],
  ['http://localhost:3000/#room', /has a query or a fragment. Remove it/],
  ['', /is empty or not a string/],
]

t.test('a wrong `url` is refused at once, with a correction', async (t) => {
  for (const [url, message] of urls) {
    const expected = { name: 'MessengerError', code: 'INVALID_OPTION', message, retryable: false }
    t.throws(() => new Messenger({ url, username: 'alice' }), expected, url)
    await t.rejects(login(url, { username: 'alice' }), expected, `login: ${url}`)
  }
  t.throws(() => new Messenger({ url: 3000 as never }), { code: 'INVALID_OPTION' })
})

t.test('`url` defaults to the origin of the page, and is required without a page', async (t) => {
  const expected = { code: 'INVALID_OPTION', message: /`url` is missing.*'http:\/\/localhost:3000'/ }
  t.throws(() => new Messenger({ username: 'alice' }), expected)
  pretend(t, 'location', { origin: 'null' })
  t.throws(() => new Messenger({ username: 'alice' }), expected, 'a page of file:')
})

t.test('slashes at the end of a url do not matter', async (t) => {
  const { url } = await startServer(t)
  await createMessenger(t, { url: `${url}//`, username: 'alice' }).connect()
})

t.test('a runtime without WebSocket is told before anything is sent', async (t) => {
  pretend(t, 'WebSocket', undefined)
  const fetch = () => Promise.reject(new Error('something was sent'))
  const messenger = createMessenger(t, { url: 'http://127.0.0.1', username: 'alice', fetch })
  await t.rejects(messenger.connect(), {
    code: 'INVALID_OPTION',
    message: /Node.js 22 or newer.*import \{ WebSocket \} from 'ws'/,
  })
})

t.test('the package can be loaded by a process without WebSocket, and says what to do', async (t) => {
  const script = `
    delete globalThis.WebSocket
    const { Messenger } = await import(${JSON.stringify(new URL('../../client/dist/index.js', import.meta.url).href)})
    await new Messenger({ url: 'http://127.0.0.1:1', username: 'alice' }).connect().catch(({ code }) => console.log(code))`
  const { stdout } = await runOutsideTap(['--input-type=module', '--eval', script])
  t.equal(stdout, 'INVALID_OPTION\n')
})

t.test('connect() rejects with SIGNED_OUT when neither a name nor a session is given', async (t) => {
  const messenger = createMessenger(t, { url: 'http://127.0.0.1:1' })
  await t.rejects(messenger.connect(), { code: 'SIGNED_OUT', message: /Pass `username`/ })
})

t.test('the state `waiting` says that no server listens', async (t) => {
  const server = createTcpServer()
  const url = await listen(t, server)
  server.close()
  t.match(await whyWaiting(t, url), {
    code: 'NETWORK',
    retryable: true,
    message: new RegExp(`No server listens at ${url}. Start the server, or correct`),
  })
})

t.test('a reply that is not from a Messenger server is reported', async (t) => {
  const reply = { status: 404, type: 'text/html', body: '<h1>Not found</h1>' }
  const url = await listen(
    t,
    createServer((_, response) =>
      response.writeHead(reply.status, { 'content-type': reply.type }).end(reply.body),
    ),
  )
  const refused = new RegExp(`${url}/login \\(status 404\\) is not from.*Check host, port and path`)
  await t.rejects(createMessenger(t, { url, username: 'alice' }).connect(), {
    code: 'NETWORK',
    retryable: false,
    message: refused,
  })
  Object.assign(reply, { type: 'application/json', body: '{"error":"none"}' })
  await t.rejects(login(url, { username: 'alice' }), { code: 'NETWORK', message: refused })

  Object.assign(reply, { status: 200, type: 'text/html', body: '<h1>Welcome</h1>' })
  t.match(await whyWaiting(t, url), { code: 'NETWORK', message: /\/login \(status 200\) is not from/ })
  Object.assign(reply, { type: 'application/json', body: '{' })
  t.match(await whyWaiting(t, url), { code: 'NETWORK', message: /not JSON/ })
  Object.assign(reply, { body: '{"id":1}' })
  await t.rejects(createMessenger(t, { url, username: 'alice' }).connect(), {
    code: 'NETWORK',
    message: /has no token/,
  })
})

t.test('a failed WebSocket handshake is reported when HTTP calls succeed', async (t) => {
  const url = await listen(
    t,
    createServer((_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}')),
  )
  t.match(await whyWaiting(t, url, { session }), {
    code: 'NETWORK',
    retryable: true,
    message: /answers HTTP calls, but the WebSocket handshake.*Upgrade/,
  })
})

t.test('an error of fetch is explained', async (t) => {
  const say = (cause: unknown) =>
    login('http://chat.example', { username: 'alice' }, () => Promise.reject(cause)).catch(
      (error: MessengerError) => {
        t.match(error, { code: 'NETWORK', retryable: true, cause })
        return error.message
      },
    )
  const byCode = (code: string) => say(new TypeError('fetch failed', { cause: { code } }))
  t.match(await byCode('ENOTFOUND'), /has no address/)
  t.match(await byCode('EAI_AGAIN'), /has no address/)
  t.match(await byCode('DEPTH_ZERO_SELF_SIGNED_CERT'), /not trusted.*NODE_EXTRA_CA_CERTS/)
  t.match(await byCode('ERR_SSL_WRONG_VERSION_NUMBER'), /does not speak TLS/)
  t.match(await byCode('EHOSTUNREACH'), /could not be reached \(EHOSTUNREACH\)/)
  t.match(await say(new DOMException('late', 'TimeoutError')), /did not answer in time/)
  t.match(await say(new TypeError('Failed to fetch')), /could not be reached. Check `url`/)
  pretend(t, 'location', { origin: 'https://app.example' })
  t.match(await say(new TypeError('Failed to fetch')), /CORS_ORIGINS=https:\/\/app.example/)
  pretend(t, 'navigator', { onLine: false })
  t.match(await say(new TypeError('Failed to fetch')), /is offline/)
})

t.test('a server without TLS is reported with the error of Node.js', async (t) => {
  const url = await listen(
    t,
    createServer(() => {}),
  )
  t.match(await whyWaiting(t, url.replace('http:', 'https:')), {
    message: /does not speak TLS/,
  })
})

t.test('an option that the runtime refuses is named, and what nobody expected is shown', async (t) => {
  const invalid = { ...session, token: 'not a token' }
  const messenger = createMessenger(t, { url: 'http://127.0.0.1', session: invalid })
  await t.rejects(messenger.connect(), { code: 'INVALID_OPTION', message: /Check `url`, `session`/ })
  await t.rejects(
    createMessenger(t, { url: 'http://127.0.0.1', session, WebSocket: Object as never }).connect(),
    {
      code: 'INTERNAL',
      message: /addEventListener/,
    },
  )
})

t.test('close() ends calls that are under way with CLOSED, and never rejects', async (t) => {
  const url = await listen(
    t,
    createTcpServer((socket) => t.teardown(() => socket.destroy())),
  )
  for (const options of [{ session }, { username: 'alice' }]) {
    const messenger = createMessenger(t, { url, ...options })
    const calls = [messenger.connect(), messenger.send({ receiver_username: 'bob', content: 'hi' })]
    if ('session' in options) calls.push(messenger.logout())
    const rejected = Promise.allSettled(calls)
    await nextState(messenger, 'connecting')
    await new Promise(setImmediate)
    await messenger.close()
    for (const result of await rejected) {
      t.match(result, { status: 'rejected', reason: { code: 'CLOSED' } })
    }
    await t.rejects(messenger.connect(), { code: 'CLOSED' })
    await t.rejects(messenger.logout(), { code: 'CLOSED' })
  }
})
