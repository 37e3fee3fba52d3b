import t, { type Test } from 'tap'
import type { Conversation, Member } from '../../schemas/conversation.ts'
import { startWithKey } from '../support/server-key.ts'
import type { Person } from '../support/server.ts'
import { eventsAfter, headOf } from '../support/stream.ts'
import { digestOf } from '../support/test-database.ts'

const start = async (t: Test) => {
  const server = await startWithKey(t)
  const { login } = server
  const people = [await login('alice'), await login('bob'), await login('carol')] as const
  return { ...server, people }
}

const setRole = (who: Person, id: number, username: string, role: string) =>
  who.call<Conversation>('PUT', `/groups/${id}/members/${username}`, { role })

const rolesIn = async (person: Person, id: number) =>
  (await person.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)).body.members.map(
    ({ username, role }) => `${username} ${role}`,
  )

t.test('owners make others owners, and hand a group over', async (t) => {
  const { people, folder } = await start(t)
  const [alice, bob, carol] = people
  const { id } = await alice.createGroup('g', ['bob', 'carol'])
  const [socket, other, cursor] = [await bob.connect(), await carol.connect(), await headOf(bob)]
  t.match(await setRole(alice, id, 'bob', 'owner'), { status: 200, body: { id, role: 'owner' } })
  t.match(await socket.wait('conversation'), { conversation_id: id, you: 'member', role: 'owner' })
  t.match(await other.wait('conversation'), { conversation_id: id, you: 'member', role: 'member' })
  t.match(await eventsAfter(bob, cursor), [{ type: 'conversation', you: 'member', role: 'owner' }])
  t.match(await bob.conversation(id), { role: 'owner' })
  t.strictSame(await rolesIn(carol, id), ['alice owner', 'bob owner', 'carol member'])
  t.equal((await bob.call('PATCH', `/groups/${id}`, { title: 'ours' })).status, 200)

  const before = await digestOf(folder)
  await setRole(alice, id, 'bob', 'owner')
  t.equal((await alice.call('PUT', `/groups/${id}/members/bob`)).status, 200)
  t.equal((await alice.call('PUT', `/groups/${id}/members/bob`, {})).status, 200)
  t.equal(await digestOf(folder), before, 'a repeat and an absent role change nothing')

  t.match((await setRole(alice, id, 'alice', 'member')).body, { role: 'member' })
  t.match(await alice.call('PATCH', `/groups/${id}`, { title: 'mine' }), { status: 403 })
  t.strictSame(await rolesIn(carol, id), ['alice member', 'bob owner', 'carol member'])
  await socket.wait('conversation', ({ role, title }) => role === 'owner' && title === 'ours')
  t.match((await eventsAfter(alice, cursor)).at(-1), { type: 'conversation', role: 'member' })
})

t.test('one owner makes another a member, and a new member may be an owner', async (t) => {
  const { people } = await start(t)
  const [alice, bob, carol] = people
  const { id } = await alice.createGroup('g', ['bob'])
  const socket = await carol.connect()
  t.equal((await setRole(alice, id, 'carol', 'owner')).status, 200)
  t.match(await socket.wait('conversation'), { you: 'joined', role: 'owner', member_count: 3 })
  t.equal((await setRole(carol, id, 'alice', 'member')).status, 200)
  t.strictSame(await rolesIn(bob, id), ['alice member', 'bob member', 'carol owner'])
  await carol.call('DELETE', `/groups/${id}/members/alice`)
  await carol.call('PUT', `/groups/${id}/members/alice`)
  t.strictSame(await rolesIn(bob, id), ['bob member', 'carol owner', 'alice member'])
})

t.test('the last owner stays, unless the app wants otherwise', async (t) => {
  const { people, asApp, folder } = await start(t)
  const [alice, bob, carol] = people
  const { id } = await alice.createGroup('g', ['bob'])
  const before = await digestOf(folder)
  t.match(await setRole(alice, id, 'alice', 'member'), {
    status: 403,
    body: { code: 'FORBIDDEN', detail: /only owner/ },
  })
  t.match(await setRole(bob, id, 'bob', 'owner'), { status: 403, body: { code: 'FORBIDDEN' } })
  t.match(await setRole(carol, id, 'carol', 'owner'), { status: 404 })
  for (const body of [{ role: 'admin' }, { role: '' }, { role: 1 }])
    t.match(await alice.call('PUT', `/groups/${id}/members/bob`, body), {
      status: 400,
      body: { errors: [{ path: '/role' }] },
    })
  t.match(await alice.call('PUT', `/groups/${id}/members/bob`, { rank: 'owner' }), { status: 400 })
  t.equal(await digestOf(folder), before)
  const reply = await asApp('PUT', `/groups/${id}/members/alice`, { role: 'member' })
  t.equal(reply.status, 200)
  t.strictSame(await rolesIn(bob, id), ['alice member', 'bob member'])
  t.equal((await alice.call('DELETE', `/groups/${id}/members/alice`)).status, 204)
  t.strictSame(await rolesIn(bob, id), ['bob member'], 'a group without an owner stays so')
  await asApp('PUT', `/groups/${id}/members/bob`, { role: 'owner' })
  t.match(await bob.conversation(id), { role: 'owner' })
})

t.test('only when the last owner leaves does the oldest member become an owner', async (t) => {
  const { people } = await start(t)
  const [alice, bob, carol] = people
  const { id } = await alice.createGroup('g', ['bob', 'carol'])
  await setRole(alice, id, 'carol', 'owner')
  t.equal((await alice.call('DELETE', `/groups/${id}/members/alice`)).status, 204)
  t.strictSame(await rolesIn(bob, id), ['bob member', 'carol owner'])
  const socket = await bob.connect()
  await carol.call('DELETE', '/users/me')
  t.match(await socket.wait('conversation'), { you: 'member', role: 'owner', member_count: 1 })
  t.strictSame(await rolesIn(bob, id), ['bob owner'])
})

t.test('a suspended member becomes an owner only if all other members are suspended', async (t) => {
  const { people, asApp, login } = await start(t)
  const [alice, bob, carol] = people
  const suspend = (name: string, more = {}) =>
    asApp('PUT', `/users/${name}/suspension`, { reason: 'Insults', ...more })
  const makeGroup = async (owner: Person, members: string[]) => (await owner.createGroup('g', members)).id
  const [first, second, third] = [
    await makeGroup(alice, ['bob', 'carol']),
    await makeGroup(alice, ['bob', 'carol']),
    await makeGroup(alice, ['bob', 'carol']),
  ]
  const dan = await login('dan')
  const lonely = await makeGroup(dan, ['bob'])
  t.equal((await suspend('bob')).status, 200)
  t.equal((await alice.call('DELETE', `/groups/${first}/members/alice`)).status, 204)
  t.strictSame(await rolesIn(carol, first), ['bob member', 'carol owner'])
  t.equal((await asApp('DELETE', `/groups/${second}/members/alice`)).status, 204)
  t.strictSame(await rolesIn(carol, second), ['bob member', 'carol owner'])

  const socket = await carol.connect()
  t.equal((await alice.call('DELETE', '/users/me')).status, 204)
  t.match(await socket.wait('conversation', ({ conversation_id }) => conversation_id === third), {
    you: 'member',
    role: 'owner',
  })
  t.equal((await dan.call('DELETE', `/groups/${lonely}/members/dan`)).status, 204)
  t.equal((await asApp('DELETE', '/users/bob/suspension')).status, 204)
  t.match(await bob.conversation(lonely), { role: 'owner' }, 'a group keeps an owner')

  const later = await makeGroup(carol, ['bob', 'dan'])
  t.equal((await carol.call('DELETE', `/groups/${later}/members/carol`)).status, 204)
  t.strictSame(await rolesIn(dan, later), ['bob owner', 'dan member'], 'a suspension that has ended')
})

t.test('a direct conversation and a former member have no role', async (t) => {
  const { people } = await start(t)
  const [alice, bob] = people
  const socket = await bob.connect()
  await alice.send('bob', 'hello')
  t.notOk('role' in (await socket.wait('conversation')))
  const { id } = await alice.createGroup('g', ['bob'])
  await setRole(alice, id, 'bob', 'owner')
  const cursor = await headOf(bob)
  await bob.call('DELETE', `/groups/${id}/members/bob`)
  const left = await socket.wait('conversation', ({ you }) => you === 'left')
  t.notOk('role' in left)
  t.strictSame((await eventsAfter(bob, cursor)).at(-1), left)
})
