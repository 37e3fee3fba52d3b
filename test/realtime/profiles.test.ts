import t from 'tap'
import * as members from '../../db/queries/members.ts'
import * as users from '../../db/queries/users.ts'
import { contactsOf } from '../../src/chat/contacts.ts'
import { ProfileAnnouncer } from '../../src/realtime/profile-announcer.ts'
import { beforeReads } from '../support/reads.ts'
import { type Person, startServer } from '../support/server.ts'
import type { TestSocket } from '../support/socket.ts'

const rename = (person: Person, display_name: string | null) =>
  person.call('PATCH', '/users/me', { display_name })

/** The display names that a socket received. */
const namesOf = ({ frames }: TestSocket) =>
  frames.flatMap((frame) => (frame.type === 'user' ? [frame.user.profile?.display_name] : []))

/** Waits until a socket receives a display name; one that the user does not have any more is not awaited. */
const shown = (socket: TestSocket, name: string | undefined) =>
  socket.wait('user', ({ user }) => user.profile?.display_name === name)

t.test('a change is announced once to those who share a conversation, and to nobody else', async (t) => {
  const { login } = await startServer(t)
  const names = ['ann', 'direct', 'grouped', 'former', 'blocker', 'blocked', 'stranger']
  const people = await Promise.all(names.map((name) => login(name)))
  const [ann, direct, , former, blocker] = people as [Person, Person, Person, Person, Person]
  await ann.send('direct', 'hello')
  const group = await ann.createGroup('g', ['direct', 'grouped', 'former', 'blocker', 'blocked'])
  await former.call('DELETE', `/groups/${group.id}/members/former`)
  await blocker.call('PUT', '/blocks/ann')
  await ann.call('PUT', '/blocks/blocked')
  const sockets = await Promise.all(people.map((person) => person.connect()))
  const plain = await direct.connect({ plain: true })
  const [own, theirs, grouped] = sockets as [TestSocket, TestSocket, TestSocket]

  await ann.call('PATCH', '/users/me', { display_name: 'Ann', metadata: { a: 1 } })
  const user = { id: ann.id, username: 'ann', profile: { display_name: 'Ann', metadata: { a: 1 } } }
  for (const socket of [own, theirs, grouped]) {
    t.strictSame(await shown(socket, 'Ann'), { type: 'user', user })
  }
  // The next announcement comes after the whole of this one.
  await rename(direct, 'Direct')
  await shown(own, 'Direct')
  const received = await Promise.all(
    sockets.map(async (socket) => {
      await socket.settle()
      return namesOf(socket)
    }),
  )
  t.strictSame(Object.fromEntries(names.map((name, index) => [name, received[index]])), {
    ann: ['Ann', 'Direct'],
    direct: ['Ann', 'Direct'],
    grouped: ['Ann', 'Direct'],
    former: [],
    blocker: ['Direct'],
    blocked: ['Direct'],
    stranger: [],
  })
  t.strictSame(plain.frames, [], 'a plain socket receives messages only')
})

t.test('a removed account is announced without a profile, a new account not at all', async (t) => {
  const { login } = await startServer(t)
  const [ann, bob] = [await login('ann'), await login('bob')]
  await ann.send('bob', 'hello')
  await rename(ann, 'Ann')
  const socket = await bob.connect()
  await login('carol')
  await ann.call('DELETE', '/users/me')
  t.strictSame(await shown(socket, undefined), { type: 'user', user: { id: ann.id, username: 'ann' } })
  t.strictSame(namesOf(socket), [undefined])
})

t.test('many changes of one user become few frames, and the last one has the last state', async (t) => {
  const server = await startServer(t, { RATE_LIMIT_CHANGES: '0' })
  const { app, login } = server
  const [ann, bob, carol] = [await login('ann'), await login('bob'), await login('carol')]
  await ann.createGroup('g', ['bob', 'carol'])
  const socket = await bob.connect()
  let reads = 0
  beforeReads(app.chat.reader, (query) => {
    if (query === members.unblockedMembers) reads += 1
  })
  const changes = Array.from({ length: 1000 }, (_, index) => rename(ann, `Ann ${index}`))
  const sent = await carol.send('bob', 'in between')
  await socket.wait('message', ({ id }) => id === sent.id)
  const statuses = new Set((await Promise.all(changes)).map(({ status }) => status))
  t.strictSame([...statuses], [200])
  await rename(ann, 'Ann at last')
  await shown(socket, 'Ann at last')
  const names = namesOf(socket)
  t.equal(names.at(-1), 'Ann at last')
  t.ok(names.length < 100 && reads < 100, `${names.length} frames, ${reads} reads of members`)
})

t.test('an announcement reads a bounded number of rows, and of many periods in pages', async (t) => {
  const { app, login } = await startServer(t, { RATE_LIMIT_CHANGES: '0' })
  const [ann, bob] = [await login('ann'), await login('bob')]
  const groups = []
  for (let index = 0; index < 130; index += 1) groups.push((await ann.createGroup('g', ['bob'])).id)
  const { status } = await ann.call('DELETE', `/groups/${groups[0]}/members/ann`)
  t.equal(status, 204)
  const find = async (maxRows: number) => {
    const found = []
    for await (const ids of contactsOf(app.chat, ann.id, maxRows)) found.push(ids.toSorted())
    return found
  }
  const both = [ann.id, bob.id].toSorted()
  t.strictSame(await find(1000), [[ann.id], ...groups.slice(1).map(() => both)])
  t.strictSame(await find(132), [[ann.id], both, both], '128 periods and two groups of two')
  t.strictSame(await find(0), [[ann.id]])
})

t.test('changes of more than 10,000 waiting users are dropped', async (t) => {
  const { app, login } = await startServer(t)
  const [ann, bob] = [await login('ann'), await login('bob')]
  const errors: unknown[] = []
  const announcer = new ProfileAnnouncer(app.chat, (error) => errors.push(error))
  const [mine, theirs] = [await ann.connect(), await bob.connect()]
  const { hub } = app.sockets
  // The first one is announced at once and does not wait.
  for (let id = 1e6; id < 1e6 + 10_000; id += 1) announcer.changed(id, hub)
  announcer.changed(bob.id, hub)
  announcer.changed(ann.id, hub)
  await theirs.wait('user')
  await mine.settle()
  t.strictSame([namesOf(mine), errors], [[], []])
  announcer.stop()
  announcer.changed(ann.id, hub)
  await mine.settle()
  t.strictSame(namesOf(mine), [])
})

t.test('a read that fails loses one announcement', async (t) => {
  const { app, login } = await startServer(t)
  const [ann, bob] = [await login('ann'), await login('bob')]
  await ann.send('bob', 'hello')
  const socket = await bob.connect()
  const errors: unknown[] = []
  const announcer = new ProfileAnnouncer(app.chat, (error) => errors.push(error))
  const end = beforeReads(app.chat.reader, (query) => {
    if (query === users.userById) throw new Error('the disk')
  })
  announcer.changed(ann.id, app.sockets.hub)
  while (errors.length === 0) await socket.settle()
  end()
  announcer.changed(ann.id, app.sockets.hub)
  t.match(await socket.wait('user'), { user: { username: 'ann' } }, 'the next change is announced')
  t.match(errors, [{ message: 'the disk' }])
})
