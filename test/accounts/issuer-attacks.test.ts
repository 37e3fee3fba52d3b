import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import t, { type Test } from 'tap'
import {
  AUDIENCE,
  claimsFor,
  ec,
  ed25519,
  ISSUER,
  issuedToken,
  issuerEntry,
  issuerEnv,
  jwk,
  pem,
  rsa,
  rsaIssuer,
  seconds,
  signToken,
  startKeyServer,
} from '../support/issuer.ts'
import { startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { forgeToken, SECRET } from '../support/token.ts'

/* The attacks of RFC 8725, section 2, and of reports about other servers. */

const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
const B = 'https://b.example.org'
const C = 'https://c.example.org'
/** Its set has another key under an id of the set of B. */
const D = 'https://d.example.org'
const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
const secret = 'the secret of the issuer c, which is long enough'

const setUp = async (test: Test) => {
  const hostile = await startKeyServer(test, [jwk(attacker, { kid: 'a' })])
  const keys = await startKeyServer(test, [jwk(weak, { kid: 'weak' }), jwk(rsa, { kid: 'b' })])
  const others = await startKeyServer(test, [jwk(other, { kid: 'b' })])
  const server = await startServer(test, {
    ...issuerEnv(
      rsaIssuer,
      issuerEntry(B, ['RS256', 'EdDSA'], { jwks_url: keys.url }),
      issuerEntry(C, ['HS256'], { secret }),
      issuerEntry(D, ['RS256'], { jwks_url: others.url }),
    ),
    JWT_SECRET: SECRET,
  })
  return { ...server, hostile, keys }
}
const { url, call, rows, hostile, keys, login } = await setUp(t)

const claims = (more: object = {}) => claimsFor('ann', more)
const signed = (more: object, header: object = {}) =>
  signToken({ alg: 'RS256', ...header }, claims(more), rsa.privateKey)
const attacked = (header: object) => signToken({ alg: 'RS256', ...header }, claims(), attacker.privateKey)
const unsigned = (header: object, more: object = {}) =>
  `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from(JSON.stringify(claims(more))).toString('base64url')}.`
const [head, payload, signature] = issuedToken('ann').split('.') as [string, string, string]
const duplicates = (name: string, first: unknown) =>
  JSON.stringify(claims()).replace('{', `{${JSON.stringify(name)}:${JSON.stringify(first)},`)

const forgeries: Record<string, string> = {
  'no algorithm': unsigned({ alg: 'none' }),
  'no algorithm, in another case': unsigned({ alg: 'nOnE' }),
  'an empty algorithm': unsigned({ alg: '' }),
  'an algorithm that is a list': unsigned({ alg: ['RS256'] }),
  'no header member': unsigned({}),
  'no signature': `${head}.${payload}.`,
  'a text without parts': 'nonsense',
  'no third part': `${head}.${payload}`,
  'five parts': `${head}.${payload}.${signature}.x.y`,
  'the public key as a secret': signToken({ alg: 'HS256' }, claims(), pem(rsa)),
  'the public key in DER as a secret': signToken(
    { alg: 'HS256' },
    claims(),
    rsa.publicKey.export({ type: 'spki', format: 'der' }).toString('latin1'),
  ),
  'the key of a set as a secret': signToken(
    { alg: 'HS256', kid: 'b' },
    claims({ iss: B }),
    JSON.stringify(jwk(rsa)),
  ),
  'an algorithm of the same key that is not configured': signToken(
    { alg: 'PS256' },
    claims(),
    rsa.privateKey,
  ),
  'a longer hash that is not configured': signToken({ alg: 'RS512' }, claims(), rsa.privateKey),
  'the algorithm of another issuer': signToken({ alg: 'EdDSA' }, claims(), ed25519.privateKey),
  'an algorithm that only the key of another issuer has': signToken(
    { alg: 'HS256' },
    claims({ iss: B }),
    secret,
  ),
  'the key of another issuer': signToken({ alg: 'HS256' }, claims(), secret),
  'another key of the same kind': attacked({}),
  'our own secret under the name of an issuer': forgeToken({ alg: 'HS256', typ: 'JWT' }, claims(), SECRET),
  'our own secret without an issuer': forgeToken(
    { alg: 'HS256', typ: 'JWT' },
    claims({ iss: undefined }),
    SECRET,
  ),
  'a key id of a path': attacked({ kid: '../../../../dev/null' }),
  'a key id of SQL': attacked({ kid: "x' union select 'secret" }),
  'a key id of a URL': attacked({ kid: hostile.url }),
  'a key id that is not a text': signed({}, { kid: { $ne: 1 } }),
  'a key id of an issuer with a set: a path': signToken(
    { alg: 'RS256', kid: '/dev/null' },
    claims({ iss: B }),
    attacker.privateKey,
  ),
  'a URL of keys': attacked({ jku: hostile.url, kid: 'a' }),
  'a URL of certificates': attacked({ x5u: hostile.url, kid: 'a' }),
  'an embedded key': attacked({ jwk: jwk(attacker) }),
  'an embedded certificate': attacked({ x5c: ['MIIB'] }),
  'a URL of keys beside a valid signature': signed({}, { jku: hostile.url }),
  'an embedded key beside a valid signature': signed({}, { jwk: jwk(rsa) }),
  'a critical extension': signed({}, { crit: ['x'], x: 1 }),
  'an empty list of critical extensions': signed({}, { crit: [] }),
  'an unencoded payload': signed({}, { b64: false, crit: ['b64'] }),
  'a compressed payload': signed({}, { zip: 'DEF' }),
  'a token of another kind': signed({}, { typ: 'logout+jwt' }),
  'a kind that is not a text': signed({}, { typ: 7 }),
  'a header twice': signToken({ alg: 'RS256' }, claims(), rsa.privateKey, '{"alg":"none","alg":"RS256"}'),
  'a header that is a list': signToken({ alg: 'RS256' }, claims(), rsa.privateKey, '["RS256"]'),
  'another audience': signed({ aud: 'mail' }),
  'no audience': signed({ aud: undefined }),
  'an empty list of audiences': signed({ aud: [] }),
  'an audience that is an object': signed({ aud: { [AUDIENCE]: true } }),
  'an audience within a list': signed({ aud: [[AUDIENCE]] }),
  'an audience that begins alike': signed({ aud: `${AUDIENCE}2` }),
  'an unknown issuer': signed({ iss: 'https://evil.example.org' }),
  'an issuer with a slash': signed({ iss: `${ISSUER}/` }),
  'an issuer in another case': signed({ iss: ISSUER.toUpperCase() }),
  'an issuer in a list': signed({ iss: [ISSUER] }),
  'an issuer that is null': signed({ iss: null }),
  'an issuer that every object has': signed({ iss: '__proto__' }),
  'no subject': signed({ sub: undefined }),
  'an empty subject': signed({ sub: '' }),
  'a subject that is a number': signed({ sub: 1 }),
  'no expiry': signed({ exp: undefined }),
  'an expiry that is a text': signed({ exp: String(seconds() + 3600) }),
  expired: signed({ exp: seconds() - 61 }),
  'not valid yet': signed({ nbf: seconds() + 120 }),
  'a text as the time from which it is valid': signed({ nbf: '0' }),
  'valid from the year 9999': signed({ nbf: 253_402_300_799 }),
  'issued in the future': signed({ iat: seconds() + 120 }),
  'issued at a text': signed({ iat: 'now' }),
  'a claim twice': signToken({ alg: 'RS256' }, duplicates('sub', 'bob'), rsa.privateKey),
  'a claim twice, once escaped': signToken(
    { alg: 'RS256' },
    JSON.stringify(claims()).replace('{', '{"s\\u0075b":"bob",'),
    rsa.privateKey,
  ),
  'the issuer twice': signToken({ alg: 'RS256' }, duplicates('iss', B), rsa.privateKey),
  'claims that are a list': signToken({ alg: 'RS256' }, '[]', rsa.privateKey),
  'claims that are not JSON': signToken({ alg: 'RS256' }, 'iss', rsa.privateKey),
  'a weak RSA key of the set': signToken({ alg: 'RS256', kid: 'weak' }, claims({ iss: B }), weak.privateKey),
  'an empty signature of ECDSA': `${Buffer.from('{"alg":"ES256"}').toString('base64url')}.${payload}.${Buffer.alloc(64).toString('base64url')}`,
  'a changed payload': `${head}.${Buffer.from(JSON.stringify(claims({ sub: 'bob' }))).toString('base64url')}.${signature}`,
  'a payload of another token': `${head}.${issuedToken('bob').split('.')[1]}.${signature}`,
  'a signature in DER': signToken({ alg: 'ES256' }, claims(), ec('P-256').privateKey),
}

t.test('each attack is refused with 401 over HTTP, at a handshake and in a frame', async (t) => {
  const bob = await login('bob')
  const socket = await bob.connect()
  for (const [name, token] of Object.entries(forgeries)) {
    t.match(await call('GET', '/users/me', { token }), { status: 401, body: { code: 'UNAUTHORIZED' } }, name)
    t.match(
      await socket.request({ type: 'auth', token }),
      { type: 'error', problem: { code: 'UNAUTHORIZED' } },
      `${name}, in a frame`,
    )
    t.match(
      await refusedHandshake(`${url}/ws`, {}, ['messenger.v1', `bearer.${token}`]),
      { status: 401 },
      `${name}, at a handshake`,
    )
  }
  t.equal(hostile.requests, 0, 'no URL of a token was fetched')
  t.ok(keys.requests <= 2, 'the keys were fetched once, and once for all unknown ones')
  t.strictSame(await rows('select username from users'), [{ username: 'bob' }], 'no account was created')
})

t.test('two issuers whose keys have the same id do not share them', async (t) => {
  const me = async (iss: string, sub: string, key: KeyObject) => {
    const token = signToken({ alg: 'RS256', kid: 'b' }, claimsFor(sub, { iss }), key)
    return (await call('GET', '/users/me', { token })).status
  }
  for (const round of ['before', 'after'].map((when) => `${when} both sets are known`)) {
    t.equal(await me(B, 'bea', rsa.privateKey), 200, round)
    t.equal(await me(D, 'bea', rsa.privateKey), 401, `${round}: a key of B under the name of D`)
    t.equal(await me(D, 'dan', other.privateKey), 200, round)
    t.equal(await me(B, 'dan', other.privateKey), 401, `${round}: a key of D under the name of B`)
    t.equal(await me(D, 'eve', rsa.privateKey), 401, `${round}: no account is created`)
  }
})

t.test('a very long token is refused', async (t) => {
  const bob = await login('bob')
  const socket = await bob.connect()
  const token = signed({ padding: 'x'.repeat(13_000) })
  t.match(await socket.request({ type: 'auth', token }), {
    type: 'error',
    problem: { code: 'UNAUTHORIZED', detail: /longer than 16384 characters/ },
  })
})

t.test('a clock may differ by one minute, and unknown claims and headers are ignored', async (t) => {
  const valid: Record<string, string> = {
    'just expired': signed({ exp: seconds() - 30 }),
    'valid in a moment': signed({ nbf: seconds() + 30, iat: seconds() + 30 }),
    'a fraction of a second': signed({ exp: seconds() + 100.5, iat: seconds() - 0.5 }),
    'an expiry that no date reaches': signed({ exp: 1e300 }),
    'a type': signed({}, { typ: 'at+JWT', x5t: 'x' }),
    'the same name in an inner object': signToken(
      { alg: 'RS256' },
      claims({ realm: { sub: '{"sub":1}', list: [{ sub: 1 }] } }),
      rsa.privateKey,
    ),
  }
  for (const [name, token] of Object.entries(valid)) {
    t.equal((await call('GET', '/users/me', { token })).status, 200, name)
    t.equal((await call('POST', '/logout', { token })).status, 204, name)
    t.equal((await call('GET', '/users/me', { token })).status, 401, name)
  }
})

t.test('two issuers cannot both have a user of the same name', async (t) => {
  const tokens = [
    signToken({ alg: 'HS256' }, claimsFor('cora', { iss: C }), secret),
    signToken({ alg: 'RS256', kid: 'b' }, claimsFor('cora', { iss: B }), rsa.privateKey),
    issuedToken('cora'),
  ]
  for (const [index, token] of tokens.entries()) {
    const { status, body } = await call('GET', '/users/me', { token })
    t.equal(status, index === 0 ? 200 : 401, JSON.stringify(body))
  }
})
