import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { setImmediate } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createJwks } from '../../src/chat/jwks.ts'
import type { AppError } from '../../src/errors.ts'
import { createAuthority } from '../support/certificates.ts'
import {
  claimsFor,
  ed25519,
  ISSUER,
  issuedToken,
  issuerEntry,
  issuerEnv,
  jwk,
  rsa,
  rsaIssuer,
  seconds,
  signToken,
  startKeyServer,
} from '../support/issuer.ts'
import { listen } from '../support/listen.ts'
import { startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'

/** Starts a cache whose clock a test moves. */
const start = async (t: Test, keys: object[]) => {
  const server = await startKeyServer(t, keys)
  const clock = { now: 0 }
  const reports: AppError[] = []
  const jwks = createJwks(server.url, {
    issuer: ISSUER,
    report: (error) => reports.push(error),
    clock: () => clock.now,
  })
  const find = (kid?: string) => Promise.resolve(jwks({ alg: 'RS256', ...(kid && { kid }) }, {} as never))
  return { server, clock, reports, find }
}
const key = (kid: string) => jwk(rsa, { kid })
const unknown = { code: 'ERR_JWKS_NO_MATCHING_KEY' }
const unavailable = (retryAfter: number) => ({ code: 'ISSUER_UNAVAILABLE', retryAfter })

t.test('keys are fetched once, and again for an unknown key at most once in 30 s', async (t) => {
  const { server, clock, find } = await start(t, [key('a')])
  await Promise.all([find('a'), find('a'), find()])
  t.equal(server.requests, 1)
  for (let n = 0; n < 5; n += 1) await t.rejects(find('b'), unknown)
  t.equal(server.requests, 1)
  server.keys = [key('b')]
  clock.now = 29_999
  await t.rejects(find('b'), unknown)
  clock.now = 30_000
  await Promise.all([find('b'), find('b'), t.rejects(find('c'), unknown)])
  t.equal(server.requests, 2)
  await t.rejects(find('a'), unknown, 'a key that the issuer removed verifies no longer')
  clock.now = 60_000
  await Promise.all(Array.from({ length: 1000 }, (_, n) => t.rejects(find(`flood ${n}`), unknown)))
  t.equal(server.requests, 3, 'a flood of unknown keys is one fetch')
})

t.test('keys older than five minutes are fetched again while they still verify', async (t) => {
  const { server, clock, find } = await start(t, [key('a')])
  await find('a')
  server.keys = [key('b')]
  clock.now = 300_000
  await find('a')
  while (server.requests < 2) await setImmediate()
  await find('b')
  t.equal(server.requests, 2)
})

t.test('known keys verify for an hour while fetches fail, at most one in 30 s', async (t) => {
  const { server, clock, reports, find } = await start(t, [key('a')])
  await find('a')
  server.respond = (_, reply) => reply.writeHead(500).end()
  clock.now = 30_000
  await t.rejects(find('b'), unavailable(30))
  t.match(reports, [
    { code: 'ISSUER_UNAVAILABLE', message: /keys of https:\/\/login/, cause: { message: /with status 500/ } },
  ])
  await t.rejects(find('b'), unavailable(30), 'a token that needs another key waits for the next attempt')
  t.equal(server.requests, 2)
  await find('a')
  clock.now = 60_000
  await Promise.all(Array.from({ length: 10 }, () => t.rejects(find('b'), unavailable(30))))
  t.equal(server.requests, 3)
  clock.now = 3_599_999
  await find('a')
  while (reports.length < 3) await setImmediate()
  clock.now = 3_601_000
  await t.rejects(find('a'), unavailable(1), 'without known keys, each second at most one')
  server.respond = undefined
  clock.now = 3_602_000
  await find('a')
  await t.rejects(find('b'), unknown)
})

const stall = () => {}
const hostile: Record<string, RequestListener> = {
  'an error': (_, reply) => reply.writeHead(503).end('{"keys":[]}'),
  'a redirect': (_, reply) => reply.writeHead(302, { location: '/jwks' }).end(),
  'an empty body': (_, reply) => reply.end(),
  'no content': (_, reply) => reply.writeHead(204).end(),
  'a cut body': (_, reply) => {
    reply.writeHead(200, { 'content-length': '100' })
    reply.write('{')
    reply.destroy()
  },
  'a reset': (request) => request.socket.destroy(),
  'an endless body': (request, reply) => {
    const chunk = Buffer.alloc(65_536, ' ')
    const more = () => {
      while (!reply.destroyed && reply.write(chunk));
    }
    reply.on('drain', more)
    request.socket.on('error', stall)
    more()
  },
  '64 MiB that are compressed': (_, reply) => {
    reply.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(67_108_864, ' ')))
  },
  '100,000 keys': (_, reply) =>
    reply.end(JSON.stringify({ keys: Array.from({ length: 100_000 }, () => key('a')) })),
  '101 keys': (_, reply) =>
    reply.end(JSON.stringify({ keys: Array.from({ length: 101 }, (_, n) => ({ kid: n })) })),
  'no keys': (_, reply) => reply.end('{"keys":[]}'),
  'bytes that are not UTF-8': (_, reply) => reply.end(Buffer.from([0x22, 0xff, 0x22])),
  ...Object.fromEntries(
    [
      'nonsense',
      'null',
      '7',
      '[]',
      '{}',
      '{"keys":{}}',
      '{"keys":"x"}',
      '{"keys":[7]}',
      '{"keys":[null]}',
    ].map((text) => [text, (_, reply) => reply.end(text)] satisfies [string, RequestListener]),
  ),
}

t.test('an answer that is not a usable JWK Set makes keys unavailable after one fetch', async (t) => {
  for (const [name, respond] of Object.entries(hostile)) {
    const { server, reports, find } = await start(t, [])
    server.respond = respond
    await t.rejects(find('a'), unavailable(1), name)
    t.equal(server.requests, 1, name)
    t.equal(reports.length, 1, name)
  }
})

t.test('unusable keys in a JWK Set do not verify and do not hide a usable one', async (t) => {
  const keys = [
    {},
    { kty: 7, kid: 'a' },
    { kty: 'oct', k: 'c2VjcmV0', kid: 'a', alg: 'HS256' },
    { kty: 'RSA', kid: 'broken', n: 'x' },
    { ...key('enc'), use: 'enc' },
    { ...key('private'), d: 'x' },
    { ...key('other'), alg: 'RS512' },
    jwk(ed25519, { kid: 'a' }),
    key('a'),
  ]
  const { server, find } = await start(t, keys)
  t.ok(await find('a'))
  for (const kid of ['broken', 'private', 'enc', 'other'])
    await t.rejects(find(kid), { code: /^(?!ISSUER)/ }, kid)
  await t.rejects(
    find(),
    { code: 'ERR_JWKS_MULTIPLE_MATCHING_KEYS' },
    'a token that names no key needs one to fit',
  )
  t.equal(server.requests, 1)
})

t.test(
  'a token whose keys cannot be fetched gets 503 with Retry-After, and other tokens still work',
  async (t) => {
    const keys = await startKeyServer(t, [key('a')])
    const remote = issuerEntry('https://b.example.org', ['RS256'], { jwks_url: keys.url })
    const { call, login, url } = await startServer(t, issuerEnv(rsaIssuer, remote))
    const arrived = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    keys.respond = (_, reply) => {
      arrived.resolve()
      void release.promise.then(() => reply.writeHead(500).end())
    }
    const tokenOf = (kid: string, more: object = {}) =>
      signToken({ alg: 'RS256', kid }, claimsFor('bea', { iss: remote.issuer, ...more }), rsa.privateKey)
    const flood = Array.from({ length: 1000 }, (_, n) =>
      call('GET', '/users/me', { token: tokenOf(`flood ${n}`) }),
    )
    await arrived.promise
    const bob = await login('bob')
    t.equal((await bob.call('GET', '/users/me')).status, 200)
    t.equal((await call('GET', '/users/me', { token: issuedToken('ann') })).status, 200)
    const socket = await bob.connect()
    const inFrame = socket.request({ type: 'auth', token: tokenOf('a') })
    const atHandshake = refusedHandshake(`${url}/ws`, { authorization: `Bearer ${tokenOf('a')}` })
    release.resolve()
    for (const reply of await Promise.all(flood)) {
      if (reply.status === 503 && reply.headers.get('retry-after') === '1') continue
      t.match(reply, { status: 503, body: { code: 'ISSUER_UNAVAILABLE' } })
    }
    t.match(await inFrame, {
      type: 'error',
      retryable: true,
      retry_after: 1,
      problem: { code: 'ISSUER_UNAVAILABLE' },
    })
    t.match(await atHandshake, {
      status: 503,
      headers: { 'retry-after': '1' },
      body: { code: 'ISSUER_UNAVAILABLE' },
    })
    keys.respond = undefined
    for (;;) {
      const { status } = await call('GET', '/users/me', { token: tokenOf('a') })
      if (status === 200) break
      t.equal(status, 503)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    t.equal(
      (await call('GET', '/users/me', { token: tokenOf('b', { exp: seconds() + 9 }) })).status,
      401,
      'an unknown key is a wrong token once the keys are known',
    )
  },
)

t.test('keys come over https only from a server whose certificate has the name in the URL', async (t) => {
  const authority = createAuthority('An authority of this test')
  const keyServer = createServer(authority.issue({ names: ['localhost'] }), (_, reply) => {
    reply.end(JSON.stringify({ keys: [key('a')] }))
  })
  await listen(t, keyServer)
  const { port } = keyServer.address() as AddressInfo
  const reports: AppError[] = []
  const find = async (host: string) => {
    const url = `https://${host}:${port}/jwks`
    const jwks = createJwks(url, { issuer: ISSUER, report: (error) => reports.push(error) })
    return jwks({ alg: 'RS256', kid: 'a' }, {} as never)
  }
  await t.rejects(find('localhost'), unavailable(1))
  setDefaultCACertificates([...getCACertificates('default'), authority.cert])
  t.ok(await find('localhost'))
  await t.rejects(find('127.0.0.1'), unavailable(1))
  t.match(reports, [
    { cause: { cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } } },
    { cause: { cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } } },
  ])
})

t.test('a fetch ends after five seconds', { timeout: 60_000 }, async (t) => {
  const { server, reports, find } = await start(t, [])
  server.respond = (_, reply) => {
    reply.writeHead(200)
    reply.write('{')
  }
  await t.rejects(find('a'), unavailable(1))
  t.match(reports[0]?.cause, { name: 'TimeoutError' })
})
