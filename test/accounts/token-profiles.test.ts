import t, { type Test } from 'tap'
import type { Me } from '../../schemas/account.ts'
import { enter, issuedToken, issuerEnv, rsaIssuer, seconds } from '../support/issuer.ts'
import { createApp } from '../support/server-key.ts'
import { type Server, startServer } from '../support/server.ts'

const start = (t: Test, folder?: string) => startServer(t, issuerEnv(rsaIssuer), folder)

const restart = async (t: Test, { app, folder }: Server) => {
  await app.close()
  return start(t, folder)
}

/** Uses a token. @returns the profile after every write that the token caused */
const profileAfter = async (t: Test, server: Server, token: string) => {
  const user = await enter(t, server.url, token)
  // Writes are in order: one of the token is stored before this one.
  await user.send(user.username, 'note')
  return (await user.call<Me>('GET', '/users/me')).body.profile
}

t.test('the profile follows the claims of the newest token, and an invalid claim is ignored', async (t) => {
  const server = await start(t)
  const picture = 'https://example.org/pia.png'
  const iat = seconds() - 100
  const after = (more: object) => profileAfter(t, server, issuedToken('pia', more))
  t.strictSame(await after({ name: 'Pia', picture: 'javascript:alert(1)', iat }), { display_name: 'Pia' })
  const newest = { display_name: 'Pia P.', avatar_url: picture }
  t.strictSame(await after({ name: 'Pia P.', picture, iat: iat + 2 }), newest)
  t.strictSame(await after({ name: 'Old', iat: iat + 1 }), newest, 'an older token changes nothing')
  t.strictSame(await after({ name: 'Same', iat: iat + 2 }), newest, 'nor does another of the same second')
  t.strictSame(await after({ name: 7, picture: 'http://example.org/x', iat: iat + 3 }), newest)
  t.strictSame(await after({ iat: iat + 4 }), newest)
  t.strictSame(await after({ name: 'x'.repeat(129), picture: [], iat: iat + 5 }), newest)
  const socket = await (await enter(t, server.url, issuedToken('pia', { iat }))).connect()
  const last = issuedToken('pia', { name: 'Last', iat: iat + 6 })
  t.match(await socket.request({ type: 'auth', token: last }), { type: 'ack' })
  t.strictSame(await profileAfter(t, server, last), { ...newest, display_name: 'Last' })
})

t.test('of tokens that are used at the same time, the newest sets the profile', async (t) => {
  const server = await start(t)
  const iat = seconds() - 100
  const token = (name: string, later: number) => issuedToken('lee', { name, iat: iat + later })
  await enter(t, server.url, token('Lee', 0))
  const names = ['B', 'E', 'A', 'D', 'C']
  await Promise.all(names.map((name) => enter(t, server.url, token(name, name.charCodeAt(0)))))
  t.strictSame(await profileAfter(t, server, token('Lee', 0)), { display_name: 'E' })
})

t.test('a token without iat sets the profile until something with a time sets it', async (t) => {
  const server = await start(t)
  const after = (name: string, iat?: number) => profileAfter(t, server, issuedToken('kim', { name, iat }))
  t.strictSame(await after('Kim'), { display_name: 'Kim' })
  t.strictSame(await after('Kim K.'), { display_name: 'Kim K.' })
  t.strictSame(await after('Kimberly', seconds()), { display_name: 'Kimberly' })
  t.strictSame(await after('Kim'), { display_name: 'Kimberly' })
})

t.test('a token does not undo a later change of the profile, also after a restart', async (t) => {
  const first = await start(t)
  const app = await createApp(first)
  const old = { name: 'Old', picture: 'https://example.org/old.png', iat: seconds() - 10 }
  const tokens = ['by-user', 'by-app'].flatMap((name) => [
    [name, issuedToken(name, old)] as const,
    [name, issuedToken(name, { ...old, jti: 'of another device' })] as const,
  ])
  const change = { display_name: 'New', avatar_url: null }
  const user = await enter(t, first.url, (tokens[0] as (typeof tokens)[number])[1])
  t.equal((await user.call('PATCH', '/users/me', change)).status, 200)
  await enter(t, first.url, (tokens[2] as (typeof tokens)[number])[1])
  t.equal((await app.call('PUT', '/users/by-app', change)).status, 200)
  for (const [name, token] of tokens)
    t.strictSame(await profileAfter(t, first, token), { display_name: 'New' }, name)

  const second = await restart(t, first)
  for (const [name, token] of tokens)
    t.strictSame(await profileAfter(t, second, token), { display_name: 'New' }, name)
  const newer = issuedToken('by-user', { name: 'Newer', iat: seconds() + 30 })
  t.strictSame(await profileAfter(t, second, newer), { display_name: 'Newer' })
})

t.test('a token does not undo what the app created the account with', async (t) => {
  const first = await start(t)
  const app = await createApp(first)
  const { issuer } = rsaIssuer
  for (const [name, profile] of [
    ['named', { display_name: 'New' }],
    ['seen', { avatar_url: 'https://example.org/new.png' }],
    ['neither', { metadata: { plan: 'free' } }],
  ] as const)
    t.equal((await app.call('PUT', `/users/${name}`, { issuer, ...profile })).status, 200)
  const old = { name: 'Old', iat: seconds() - 10 }
  const second = await restart(t, first)
  t.strictSame(await profileAfter(t, second, issuedToken('named', old)), { display_name: 'New' })
  t.strictSame(await profileAfter(t, second, issuedToken('seen', old)), {
    avatar_url: 'https://example.org/new.png',
  })
  t.strictSame(
    await profileAfter(t, second, issuedToken('neither', old)),
    { display_name: 'Old', metadata: { plan: 'free' } },
    'metadata is not in tokens',
  )
})

t.test('metadata that changes later does not keep a token from setting the profile', async (t) => {
  const server = await start(t)
  const iat = seconds() - 10
  const user = await enter(t, server.url, issuedToken('mia', { name: 'Mia', iat }))
  await user.call('PATCH', '/users/me', { metadata: { theme: 'dark' } })
  const token = issuedToken('mia', { name: 'Mia M.', iat: iat + 1 })
  t.strictSame(await profileAfter(t, server, token), { display_name: 'Mia M.', metadata: { theme: 'dark' } })
})

t.test('a token of a clock that is ahead does not undo a later change, also after a restart', async (t) => {
  const first = await start(t)
  const ahead = { name: 'Old', iat: seconds() + 50 }
  const [creating, changing, equal] = ['creating', 'changing', 'equal'].map((name) =>
    issuedToken(name, ahead),
  )
  await enter(t, first.url, issuedToken('changing', { iat: 1 }))
  await enter(t, first.url, issuedToken('equal', { name: 'Old', iat: 1 }))
  const tokens = [creating, changing, equal] as [string, string, string]
  for (const token of tokens) {
    t.strictSame(await profileAfter(t, first, token), { display_name: 'Old' })
    const user = await enter(t, first.url, token)
    t.equal((await user.call('PATCH', '/users/me', { display_name: 'New' })).status, 200)
  }
  const second = await restart(t, first)
  for (const token of tokens) t.strictSame(await profileAfter(t, second, token), { display_name: 'New' })
})
