import t from 'tap'
import { call, startServer } from './support/server.ts'
import type { Conversation } from '../schemas/conversation.ts'

t.test('one who removes oneself is gone: token, sockets, groups, name', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const bob = await login('bob')
  const carol = await login('carol')
  const sent = await alice.send('bob', 'hello')
  const { body: group } = await alice.call<Conversation>('POST', '/groups', {
    title: 'three',
    members: ['bob', 'carol'],
  })
  const socket = await alice.connect()
  const watching = await bob.connect()
  const waiting = alice.call(
    'GET',
    `/sync?wait=30&cursor=${watching.frames[0]?.type === 'hello' && watching.frames[0].cursor}`,
  )

  t.equal((await alice.call('DELETE', '/users/me')).status, 204)
  t.equal((await socket.closed).code, 4401)
  await waiting
  for (const [method, path] of [
    ['GET', '/users/me'],
    ['DELETE', '/users/me'],
    ['POST', '/token'],
  ] as const) {
    t.match(await alice.call(method, path), { status: 401, body: { code: 'UNAUTHORIZED' } })
  }
  t.match(await call(url, 'POST', '/login', { body: { username: 'ALICE' } }), {
    status: 401,
    body: { code: 'PASSWORD_REQUIRED' },
  })
  t.match(await call(url, 'POST', '/login', { body: { username: 'alice', password: 'x' } }), {
    status: 401,
    body: { code: 'INVALID_CREDENTIALS' },
  })

  await watching.wait('conversation', ({ you, member_count }) => you === 'member' && member_count === 2)
  t.match(
    (await bob.call<{ members: object[] }>('GET', `/conversations/${group.id}/members`)).body.members,
    [{ username: 'bob', role: 'owner' }, { username: 'carol' }],
    'the oldest inherits the group',
  )
  t.match(await bob.history('alice'), [{ id: sent.id, sender: 'alice', content: 'hello' }], 'messages stay')
  t.match(await bob.call('POST', '/send', { receiver_username: 'alice', content: 'x' }), {
    status: 404,
    body: { code: 'USER_NOT_FOUND' },
  })
  t.match(await bob.call('POST', '/send', { conversation_id: sent.conversation_id, content: 'x' }), {
    status: 403,
    body: { code: 'FORBIDDEN' },
  })
  t.notMatch((await carol.call('GET', '/users?prefix=al')).body, { users: [{ username: 'alice' }] })
})
