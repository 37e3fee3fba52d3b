import t from 'tap'
import { revokeEveryToken } from '../../src/chat/administration.ts'
import { enter, issuedToken, issuerEnv, rsaIssuer, seconds } from '../support/issuer.ts'
import { startNodes } from '../support/server.ts'
import { only } from '../support/test-database.ts'

const skip = only('postgres', 'several nodes share the database')

t.test('a token of an issuer makes one account, whichever nodes it comes to first', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, issuerEnv(rsaIssuer))
  const users = await Promise.all(
    [a, b, a, b].map((node) => enter(t, node.url, issuedToken('ann@example.org'))),
  )
  t.equal(new Set(users.map(({ id }) => id)).size, 1)
  const bob = await enter(t, b.url, issuedToken('bob'))
  const his = await bob.connect()
  await users[0]?.send('bob', 'hello')
  t.match(await his.wait('message'), { sender: 'ann@example.org' })
})

t.test('a revocation at one node ends tokens of an issuer at the other', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, issuerEnv(rsaIssuer))
  const token = issuedToken('ann', { iat: seconds() - 1 })
  const later = issuedToken('ann', { iat: seconds() + 40 })
  const [here, there, after] = [
    await enter(t, a.url, token),
    await enter(t, b.url, token),
    await enter(t, b.url, later),
  ]
  const [first, second, open] = [await here.connect(), await there.connect(), await after.connect()]
  const { cursor } = (await there.call<{ cursor: string }>('GET', '/sync')).body
  const waiting = there.call('GET', `/sync?cursor=${cursor}&wait=20`)
  t.equal((await here.call('POST', '/logout?everywhere=true')).status, 204)
  t.match(await first.closed, { code: 4401 })
  t.match(await second.closed, { code: 4401 })
  t.match(await waiting, { status: 401 })
  t.match(await there.call('GET', '/users/me'), { status: 401 })
  t.match(await open.settle(), { type: 'pong' })
  t.equal((await after.call('POST', '/logout')).status, 204)
  t.match(await open.closed, { code: 4401 })

  const last = await enter(t, b.url, issuedToken('bob', { iat: seconds() - 1 }))
  const his = await last.connect()
  await revokeEveryToken(a.app.chat)
  t.match(await his.closed, { code: 4401 })
  t.equal((await last.call('GET', '/users/me')).status, 401)
})

t.test('a token that is first used at another node does not undo a later change', { skip }, async (t) => {
  const [a, b] = await startNodes(t, 2, issuerEnv(rsaIssuer))
  const token = issuedToken('ann', { name: 'Old', iat: seconds() - 10 })
  const here = await enter(t, a.url, token)
  t.equal((await here.call('PATCH', '/users/me', { display_name: 'New' })).status, 200)
  const there = await enter(t, b.url, token)
  // Writes of a node are in order: one of the token is stored before this one.
  await there.send('ann', 'note')
  t.match((await here.call('GET', '/users/me')).body, { profile: { display_name: 'New' } })
})
