import t, { type Test } from 'tap'
import { StorageError } from '../../db/errors.ts'
import { createRemovalSteps } from '../../src/chat/removal-steps.ts'
import { startFaulty } from '../support/fault.ts'
import { startProcess } from '../support/process.ts'
import { call, login, type Person, startServer, temporaryFolder } from '../support/server.ts'
import type { Conversation } from '../../schemas/conversation.ts'

t.test('a removed account loses its tokens, sockets and groups, and its name stays taken', async (t) => {
  const { url, login } = await startServer(t)
  const alice = await login('alice')
  const bob = await login('bob')
  const carol = await login('carol')
  const sent = await alice.send('bob', 'hello')
  const group = await alice.createGroup('three', ['bob', 'carol'])
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
    'the oldest member becomes the owner',
  )
  t.match(await bob.history('alice'), [{ id: sent.id, sender: 'alice', content: 'hello' }], 'kept')
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

const makeGroups = async (owner: Person, members: string[], count: number) => {
  for (let n = 0; n < count; n++) await owner.createGroup(`${n}`, members)
}

/** @returns the members of each group in a database. */
const inGroups = `select username, count(*) as groups from members join users on users.id = user_id
  join conversations on conversations.id = conversation_id where kind = 'group' and to_number > 1e15 group by username`

t.test('an account in many groups leaves them in steps, and other writes run in between', async (t) => {
  const { app, rows, login } = await startServer(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  await makeGroups(alice, ['bob'], 300)
  const sizes: number[] = []
  app.chat.bus.subscribe({
    batch: ({ changes }) =>
      void sizes.push(changes.filter(({ event }) => event.type === 'conversation').length),
    signal: () => {},
  })
  t.equal((await alice.call('DELETE', '/users/me')).status, 204)
  t.equal(
    sizes.reduce((sum, size) => sum + size),
    300,
  )
  t.ok(Math.max(...sizes) <= 128, `changes in one commit: ${sizes.join(', ')}`)
  t.strictSame(await rows(inGroups), [{ username: 'bob', groups: 300 }])
  t.strictSame(await rows('select id from users where leaving = 1'), [])
  t.match((await bob.conversations())[0], { role: 'owner', member_count: 1 })
})

t.test('a removed account leaves a group that it joined after many direct conversations', async (t) => {
  const { app, rows, login } = await startServer(t)
  const [alice] = [await login('alice'), await login('bob')]
  const names = Array.from({ length: 130 }, (_, n) => `peer${n}`)
  const { writer } = app.database
  await Promise.all(
    names.map((username) => writer.append('createUser', { username, password_hash: null, family: 'f' })),
  )
  await Promise.all(
    names.map((receiver_username) =>
      writer.append('send', { sender_id: alice.id, receiver_username, content: 'hello' }),
    ),
  )
  await makeGroups(alice, ['bob'], 1)
  t.equal((await alice.call('DELETE', '/users/me')).status, 204)
  t.strictSame(await rows(inGroups), [{ username: 'bob', groups: 1 }])
  t.strictSame(await rows('select id from users where leaving = 1'), [])
})

t.test(
  'an account is removed even if leaving its groups fails, and the next start completes the work',
  async (t) => {
    const first = await startServer(t)
    const alice = await first.login('alice')
    await first.login('bob')
    await makeGroups(alice, ['bob'], 3)
    const { writer } = first.app.database
    const { append } = writer
    writer.append = ((name: 'leaveGroups', ...rest: [never]) =>
      name === 'leaveGroups' ? Promise.reject(new Error('no')) : append(name, ...rest)) as typeof append
    t.equal((await alice.call('DELETE', '/users/me')).status, 204)
    t.equal(first.app.problems.counts.get('INTERNAL'), 1, 'the failure is reported once')
    t.equal((await alice.call('GET', '/users/me')).status, 401)
    t.equal((await first.call('POST', '/login', { body: { username: 'alice' } })).status, 401)
    t.match(
      await first.rows(inGroups),
      [{ username: 'alice', groups: 3 }, { username: 'bob' }],
      'the account is still in its groups',
    )
    await first.app.close()

    const second = await startServer(t, {}, first.folder)
    // This write queues behind the work that the start resumes.
    await second.app.chat.removalSteps.leaveGroups(alice.id)
    t.strictSame(await second.rows(inGroups), [{ username: 'bob', groups: 3 }])
    t.strictSame(await second.rows('select id from users where leaving = 1'), [])
  },
)

t.test('a server killed between two steps resumes leaving the groups at the next start', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startFaulty(t, folder)
  const [alice, bob] = [await login(t, first.url, 'alice'), await login(t, first.url, 'bob')]
  await makeGroups(alice, ['bob'], 300)
  const socket = await bob.connect()
  first.begin('slow')
  const removing = alice.call('DELETE', '/users/me').catch(() => {})
  await socket.wait('conversation', ({ member_count }) => member_count === 1)
  first.child.kill('SIGKILL')
  await first.exited
  await removing
  const second = await startProcess(t, folder)
  const again = await login(t, second.url, 'bob')
  await settled(t, again, 300)
  t.equal((await call(second.url, 'POST', '/login', { body: { username: 'alice' } })).status, 401)
})

/** Waits until this account is the only member of `count` groups. Reads the event stream from the beginning. */
const settled = async (t: Test, person: Person, count: number) => {
  const { body } = await person.call<{ cursor: string }>('GET', '/conversations?limit=1')
  let { cursor } = body
  for (;;) {
    const alone = new Set<number>()
    for (let before = ''; ; ) {
      const page = await person.call<{ conversations: Conversation[]; before?: number }>(
        'GET',
        `/conversations?limit=100${before}`,
      )
      for (const { id, member_count } of page.body.conversations) if (member_count === 1) alone.add(id)
      if (page.body.before === undefined) break
      before = `&before=${page.body.before}`
    }
    if (alone.size === count) {
      t.pass('the account left each group')
      return
    }
    cursor = (await person.call<{ cursor: string }>('GET', `/sync?wait=20&cursor=${cursor}`)).body.cursor
  }
}

t.test('a stop between two steps leaves the rest to the next start and ends without delay', async (t) => {
  let steps = 0
  const next = { conversation_id: 1, from_number: 1 }
  const writer = {
    append: async () => {
      steps += 1
      removalSteps.stop()
      return next
    },
  }
  const reader = { all: () => Promise.reject(new Error('unreadable')) }
  const removalSteps = createRemovalSteps(
    reader as never,
    writer as never,
    { MAX_RECEIPT_GROUP: 32 } as never,
    (error) => reported.push(error),
  )
  const reported: unknown[] = []
  await removalSteps.resume()
  t.match(
    reported,
    [{ message: 'unreadable' }],
    'an unreadable list is reported, and the next start reads it',
  )
  await Promise.all([removalSteps.leaveGroups(1), removalSteps.leaveGroups(2)])
  t.equal(steps, 1)
})

t.test(
  'a step that storage refuses for now is tried again, and the caller does not wait for it',
  async (t) => {
    // The retry does not keep the process alive.
    const alive = setInterval(() => {}, 60_000)
    t.teardown(() => clearInterval(alive))
    const busy = new StorageError('busy', 'locked')
    const reported: unknown[] = []
    const again = Promise.withResolvers<void>()
    let steps = 0
    const writer = {
      append: async () => {
        steps += 1
        if (steps === 1) throw busy
        again.resolve()
      },
    }
    const report = (...error: unknown[]) => reported.push(error)
    const removalSteps = createRemovalSteps(
      {} as never,
      writer as never,
      { MAX_RECEIPT_GROUP: 32 } as never,
      report,
    )
    await removalSteps.leaveGroups(7)
    t.equal(steps, 1)
    t.strictSame(reported, [[busy, 7]])
    await again.promise
  },
)
