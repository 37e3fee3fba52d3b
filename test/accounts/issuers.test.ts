import type { KeyObject } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createAccount, resetPassword } from '../../src/chat/administration.ts'
import type { Me } from '../../schemas/account.ts'
import {
  AUDIENCE,
  claimsFor,
  ec,
  ed25519,
  enter,
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
import { createApp } from '../support/server-key.ts'
import { call, person, startServer, temporaryFolder } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { claimsOf } from '../support/token.ts'

const server = await startServer(t, issuerEnv(rsaIssuer))
const me = (token: string, url = server.url) => call<Me>(url, 'GET', '/users/me', { token })

t.test('a token of an issuer works over HTTP and at sockets like one of this server', async (t) => {
  const [ann, bob] = [await enter(t, server.url, issuedToken('ann')), await server.login('bob')]
  const sockets = [
    await ann.connect(),
    await ann.connect({ plain: true }),
    await ann.connect({ protocols: ['messenger.v1', `bearer.${ann.token}`] }),
  ]
  await bob.send('ann', 'hello')
  for (const { wait } of sockets.slice(0, 1)) t.match(await wait('message'), { sender: 'bob' })
  const [first] = sockets
  t.match(await first?.request({ type: 'send', receiver_username: 'bob', content: 'hi' }), { type: 'ack' })
  t.match(await first?.request({ type: 'auth', token: issuedToken('ann', { jti: 'next' }) }), { type: 'ack' })
  t.match(
    await first?.request({ type: 'auth', token: issuedToken('carl') }),
    { type: 'error', problem: { code: 'UNAUTHORIZED', detail: /another user/ } },
    'a socket keeps its user',
  )
  t.match(await bob.history('ann'), [{ content: 'hello' }, { content: 'hi' }])
})

t.test('every kind of key verifies its algorithms', async (t) => {
  const secret = 'a secret of sixty-four bytes, which is as long as HS512 needs it to be'
  const p256 = ec('P-256')
  const kinds: [algorithms: string[], key: object, sign: KeyObject | string][] = [
    [['HS256', 'HS384', 'HS512'], { secret }, secret],
    [['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], { public_key: pem(rsa) }, rsa.privateKey],
    [['ES256'], { public_key: pem(p256) }, p256.privateKey],
    [['ES256'], { public_key: jwk(p256) }, p256.privateKey],
    ...[['ES384', 'P-384'] as const, ['ES512', 'P-521'] as const].map(
      ([alg, curve]): [string[], object, KeyObject] => {
        const pair = ec(curve)
        return [[alg], { public_key: pem(pair) }, pair.privateKey]
      },
    ),
    [['EdDSA', 'Ed25519'], { public_key: jwk(ed25519) }, ed25519.privateKey],
  ]
  const keyServer = await startKeyServer(t, [
    jwk(rsa, { kid: 'rsa', alg: 'RS256', use: 'sig' }),
    jwk(p256, { kid: 'ec' }),
    jwk(ed25519, { kid: 'ed', alg: 'EdDSA' }),
  ])
  const issuers = kinds.map(([algorithms, key], index) =>
    issuerEntry(`https://${index}.example.org`, algorithms, key),
  )
  const remote = issuerEntry('https://jwks.example.org', ['RS256', 'ES256', 'EdDSA'], {
    jwks_url: keyServer.url,
  })
  const { url } = await startServer(t, issuerEnv(...issuers, remote))
  for (const [index, [algorithms, , key]] of kinds.entries()) {
    for (const alg of algorithms) {
      const iss = `https://${index}.example.org`
      const token = signToken({ alg }, claimsFor(`user${index}`, { iss }), key)
      t.match(await me(token, url), { status: 200, body: { username: `user${index}` } }, `${index} ${alg}`)
    }
  }
  const held = [
    ['RS256', 'rsa', rsa],
    ['ES256', 'ec', p256],
    ['EdDSA', 'ed', ed25519],
  ] as const
  for (const [alg, kid, { privateKey }] of held) {
    for (const header of [{ alg, kid }, { alg }]) {
      const token = signToken(
        header,
        claimsFor('remote', { iss: remote.issuer, aud: ['x', AUDIENCE] }),
        privateKey,
      )
      t.match(await me(token, url), { status: 200, body: { username: 'remote' } }, JSON.stringify(header))
    }
  }
  t.equal(keyServer.requests, 1)
})

t.test('TOKEN_ISSUERS may be the path of a file that has the list', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'issuers.json')
  await writeFile(path, JSON.stringify([rsaIssuer]))
  const { url } = await startServer(t, { TOKEN_ISSUERS: path })
  t.equal((await me(issuedToken('ann'), url)).status, 200)
})

t.test('`username_claim` selects the claim that names the user', async (t) => {
  const { url } = await startServer(t, issuerEnv({ ...rsaIssuer, username_claim: 'email' }))
  t.match(await me(issuedToken('7', { email: 'ann@example.org' }), url), {
    status: 200,
    body: { username: 'ann@example.org' },
  })
  for (const email of [undefined, 7, null, ['ann'], '', 'a b', 'a/b', '.', 'x'.repeat(65), 'e\u0301']) {
    t.match(
      await me(issuedToken('7', { email }), url),
      { status: 401, body: { code: 'UNAUTHORIZED', detail: /claim email of the token is not a username/ } },
      JSON.stringify(email),
    )
  }
})

t.test('without provision, a token opens only an account that the issuer owns already', async (t) => {
  const first = await startServer(t, issuerEnv(rsaIssuer))
  await enter(t, first.url, issuedToken('old'))
  await first.app.close()
  const { url, rows } = await startServer(t, issuerEnv({ ...rsaIssuer, provision: false }), first.folder)
  t.equal((await me(issuedToken('old'), url)).status, 200)
  t.match(await me(issuedToken('new'), url), {
    status: 401,
    body: { code: 'UNAUTHORIZED', detail: /No account has the name new/ },
  })
  t.strictSame(await rows('select username, owner from users'), [
    { username: 'old', owner: `issuer ${ISSUER}` },
  ])
})

t.test('names with the characters that only apps may use work in paths, bodies and frames', async (t) => {
  const bob = await server.login('bob')
  const hers = await bob.connect()
  for (const name of [
    'ann@example.org',
    'ann+tag@example.org',
    'auth0|5f7c8ec7',
    'a:b~c',
    'Zoë|Ω',
    'x'.repeat(64),
  ]) {
    const ann = await enter(t, server.url, issuedToken(name))
    const path = encodeURIComponent(name)
    const his = await ann.connect()
    t.match(await bob.send(name, `to ${name}`), { receiver: name })
    t.match(await his.wait('message'), { sender: 'bob', receiver: name })
    t.match(await his.request({ type: 'send', receiver_username: 'bob', content: 'back' }), { type: 'ack' })
    t.match(await hers.wait('message', ({ sender }) => sender === name), { content: 'back' })
    t.match(await bob.history(path), [{ content: `to ${name}` }, { content: 'back' }])
    const group = await bob.createGroup('both', [name])
    t.equal((await bob.call('DELETE', `/groups/${group.id}/members/${path}`)).status, 204)
    t.equal((await bob.call('PUT', `/groups/${group.id}/members/${path}`)).status, 200)
    t.equal((await bob.call('PUT', `/blocks/${path}`)).status, 200)
    t.equal((await bob.call('DELETE', `/blocks/${path}`)).status, 204)
    t.match(await hers.request({ type: 'watch', usernames: [name] }), { type: 'ack' })
    await his.close()
  }
})

t.test('an account belongs to whoever created it, under every mode', async (t) => {
  const other = issuerEntry('https://other.example.org', ['EdDSA'], { public_key: pem(ed25519) })
  for (const AUTH_MODE of ['open', 'password']) {
    const { url, call, login, app } = await startServer(t, { ...issuerEnv(rsaIssuer, other), AUTH_MODE })
    const tokenOf = (sub: string) =>
      signToken({ alg: 'EdDSA' }, claimsFor(sub, { iss: other.issuer }), ed25519.privateKey)
    await login('local', 'correct horse')
    await enter(t, url, issuedToken('ann'))
    await enter(t, url, tokenOf('bob'))
    await app.chat.writer.append('createUser', {
      username: 'shop',
      password_hash: null,
      family: 'f',
      owner: 'app',
    })
    for (const token of [issuedToken('local'), issuedToken('bob'), tokenOf('ann'), issuedToken('shop')]) {
      t.match(await me(token, url), {
        status: 401,
        body: { code: 'UNAUTHORIZED', detail: /does not belong to the issuer/ },
      })
    }
    for (const username of ['ann', 'ANN', 'bob', 'shop']) {
      for (const body of [
        { username, password: 'correct horse' },
        ...(AUTH_MODE === 'open' ? [{ username }] : []),
      ])
        t.match(await call('POST', '/login', { body }), {
          status: 401,
          body: { code: 'INVALID_CREDENTIALS' },
        })
    }
    t.match(
      await me(issuedToken('Ann'), url),
      { status: 401, body: { detail: /named ann/ } },
      'names that differ in case are one account here, and may be two users of the issuer',
    )
  }
})

t.test('an account with an owner has no password and no renewal', async (t) => {
  const ann = await enter(t, server.url, issuedToken('ann'))
  const forbidden = { status: 403, body: { code: 'FORBIDDEN', detail: /does not log in here/ } }
  t.match(await ann.call('POST', '/token'), forbidden)
  t.match(await ann.call('PUT', '/users/me/password', { password: 'correct horse' }), forbidden)
  const { writer } = server.app.database
  const reset = { user_id: ann.id, password_hash: 'h', family: 'f' }
  await t.rejects(writer.append('resetPassword', reset), { code: 'FORBIDDEN' })
})

t.test(
  'AUTH_MODE=external refuses logins and passwords and still accepts tokens of this server',
  async (t) => {
    const first = await startServer(t, {})
    const bob = await first.login('bob')
    await first.app.close()
    const env = { ...issuerEnv(rsaIssuer), AUTH_MODE: 'external', RATE_LIMIT_LOGIN: '1' }
    const { url, call, app } = await startServer(t, env, first.folder)
    const forbidden = { status: 403, body: { code: 'FORBIDDEN', detail: /AUTH_MODE is "external"/ } }
    for (let n = 0; n < 3; n += 1)
      t.match(await call('POST', '/login', { body: { username: 'bob', password: 'x' } }), forbidden)
    const password = 'correct horse'
    await t.rejects(createAccount(app.chat, { username: 'new', password }), { code: 'FORBIDDEN' })
    await t.rejects(resetPassword(app.chat, bob.id, password), { code: 'FORBIDDEN' })
    t.match(await createAccount(app.chat, { username: 'new' }), { username: 'new' })
    const there = person(t, url, bob.session)
    t.match(await there.call('PUT', '/users/me/password', { password: 'correct horse' }), forbidden)
    t.equal((await there.call('GET', '/users/me')).status, 200)
    t.equal((await me(issuedToken('ann'), url)).status, 200)
  },
)

t.test('POST /logout ends a token of an issuer, however its signature is written', async (t) => {
  const [ann, still] = [
    await enter(t, server.url, issuedToken('ann')),
    issuedToken('ann', { jti: 'another' }),
  ]
  const socket = await ann.connect()
  const waiting = ann.call(
    'GET',
    `/sync?cursor=${(await ann.call<{ cursor: string }>('GET', '/sync')).body.cursor}&wait=20`,
  )
  t.equal((await ann.call('POST', '/logout')).status, 204)
  t.match(await socket.closed, { code: 4401 })
  t.match(await waiting, { status: 401 })
  t.equal((await me(ann.token)).status, 401)
  // The last character of a signature of 256 bytes has four bits that no decoder uses.
  const last = ann.token.at(-1) as string
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const same = [...alphabet].filter((c) => alphabet.indexOf(c) >> 4 === alphabet.indexOf(last) >> 4)
  for (const c of same) t.equal((await me(ann.token.slice(0, -1) + c)).status, 401)
  t.equal((await me(still)).status, 200)
})

t.test(
  'ending all tokens of an account ends those that were issued before, and sockets and long polls',
  async (t) => {
    const earlier = { iat: seconds() - 10 }
    const ann = await enter(t, server.url, issuedToken('ann', earlier))
    const without = issuedToken('ann', { iat: undefined })
    const later = issuedToken('ann', { iat: seconds() + 30 })
    for (const token of [without, later]) t.equal((await me(token)).status, 200)
    const sockets = [
      await ann.connect(),
      await person(t, server.url, { ...ann.session, token: without }).connect({ plain: true }),
    ]
    const open = await person(t, server.url, { ...ann.session, token: later }).connect()
    const { cursor } = (await ann.call<{ cursor: string }>('GET', '/sync')).body
    const waiting = ann.call('GET', `/sync?cursor=${cursor}&wait=20`)
    t.equal((await ann.call('POST', '/logout?everywhere=true')).status, 204)
    for (const { closed } of sockets) t.match(await closed, { code: 4401 })
    t.match(await waiting, { status: 401 })
    for (const token of [ann.token, without, issuedToken('ann', { ...earlier, jti: 'x' })])
      t.match(await me(token), { status: 401, body: { code: 'UNAUTHORIZED' } })
    t.equal((await me(later)).status, 200)
    t.equal((await open.settle()).type, 'pong', 'a socket of a later token stays open')
  },
)

t.test(
  'a logout by a server key ends all tokens that the issuer signed before it, and sockets',
  async (t) => {
    const app = await createApp(server, 'backend')
    const ann = await enter(t, server.url, issuedToken('lou', { iat: seconds() - 1 }))
    const [bob, without] = [await server.login('bob'), issuedToken('lou', { iat: undefined })]
    t.equal((await me(without)).status, 200)
    const [socket, his] = [await ann.connect(), await bob.connect()]
    t.equal((await app.call('POST', '/users/lou/logout')).status, 204)
    t.match(await socket.closed, { code: 4401 })
    for (const token of [ann.token, without, issuedToken('lou', { iat: seconds() - 1, jti: 'unused' })])
      t.match(await me(token), { status: 401, body: { code: 'UNAUTHORIZED' } })
    const later = issuedToken('lou', { iat: seconds() + 30 })
    t.equal((await me(later)).status, 200, 'a token from after the logout is valid')
    t.match(await his.settle(), { type: 'pong' }, 'others stay connected')
  },
)

t.test('ending the tokens of everybody, and removing an account, end tokens of issuers', async (t) => {
  const { url, app } = await startServer(t, issuerEnv(rsaIssuer))
  const ann = await enter(t, url, issuedToken('ann', { iat: seconds() - 1 }))
  const socket = await ann.connect()
  await app.chat.writer.append('revokeEverybody', { era: 'next' })
  t.match(await socket.closed, { code: 4401 })
  t.equal((await me(ann.token, url)).status, 401)
  const again = await enter(t, url, issuedToken('ann', { iat: seconds() + 30 }))
  const second = await again.connect()
  t.equal((await again.call('DELETE', '/users/me')).status, 204)
  t.match(await second.closed, { code: 4401 })
  t.match(await me(issuedToken('ann', { iat: seconds() + 40 }), url), { status: 401 })
})

t.test('a token of this server is verified once, and never by an issuer', async (t) => {
  const bob = await server.login('bob')
  const { tokens } = server.app
  t.ok(tokens.verify(bob.token) instanceof Promise)
  await tokens.verify(bob.token)
  t.match(tokens.verify(bob.token), { username: 'bob' }, 'cached by its text')
  t.equal(tokens.known(bob.token)?.issued_at, undefined)
  t.equal(claimsOf(bob.token).iss, undefined)
  const issued = issuedToken('otto')
  await tokens.verify(issued)
  t.match(tokens.verify(issued), { username: 'otto', issued_at: Number }, 'so is one of an issuer')
})

t.test('a handshake with a token of no known issuer is refused', async (t) => {
  const token = issuedToken('ann', { iss: 'https://else.example.org' })
  const refused = { status: 401, body: { code: 'UNAUTHORIZED', detail: /not one of TOKEN_ISSUERS/ } }
  t.match(await refusedHandshake(`${server.url}/ws`, {}, ['messenger.v1', `bearer.${token}`]), refused)
  t.match(await refusedHandshake(`${server.url}/ws`, { authorization: `Bearer ${token}` }), refused)
})

t.test('a server without issuers refuses the token of an issuer', async (t) => {
  const { url } = await startServer(t)
  t.match(await me(issuedToken('ann'), url), { status: 401, body: { detail: /not valid/ } })
})

t.test('the app creates the account of an issuer before its first token', async (t) => {
  const app = await createApp(server)
  const put = (body: object) => app.call('PUT', '/users/early', body)
  const unknown = { status: 400, body: { errors: [{ path: '/issuer' }] } }
  t.match(await put({ issuer: 'https://other.example' }), unknown)
  t.equal((await put({ issuer: ISSUER, display_name: 'Early' })).status, 200)
  t.equal((await put({ issuer: ISSUER })).status, 200, 'a repeated request changes nothing')
  t.match(await me(issuedToken('early')), { status: 200, body: { profile: { display_name: 'Early' } } })

  t.equal((await app.call('PUT', '/users/of-the-app', {})).status, 200)
  t.match(await app.call('PUT', '/users/of-the-app', { issuer: ISSUER }), unknown)
  t.equal((await me(issuedToken('of-the-app'))).status, 401)
})
