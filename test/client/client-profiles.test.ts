import t from 'tap'
import { type MessengerError, unwrap } from '../../client/src/index.ts'
import { collect, createMessenger, next, open } from '../support/client.ts'
import { startServer } from '../support/server.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

/** @returns a `fetch`, and the lists of names that it requested */
const countLookUps = () => {
  const lookUps: string[][] = []
  return {
    lookUps,
    fetch: (request: Request) => {
      const names = new URL(request.url).searchParams.get('usernames')
      if (names !== null) lookUps.push(names.split(','))
      return fetch(request)
    },
  }
}

t.test('look-ups of one turn share a request, and their results are cached', async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  await bob.call('PATCH', '/users/me', { display_name: 'Bob B.', avatar_url: 'https://a.example/bob.png' })
  await login('carol')
  const { lookUps, fetch } = countLookUps()
  const alice = createMessenger(t, { url, username: 'alice', fetch })
  await alice.connect()
  const events = collect(alice, 'profile')
  const { profiles } = alice
  const bobs = { display_name: 'Bob B.', avatar_url: 'https://a.example/bob.png' }
  t.strictSame(profiles.peek('bob'), {})
  t.strictSame(
    await Promise.all(['bob', 'BOB', 'carol', 'nobody', 'a,b', '\0', ''].map((name) => profiles.get(name))),
    [bobs, bobs, {}, {}, {}, {}, {}],
    'a user without a profile, and a name without a user, have an empty one',
  )
  t.strictSame(lookUps, [['bob', 'carol', 'nobody']])
  t.strictSame(profiles.peek('Bob'), bobs)
  t.strictSame(await profiles.get('nobody'), {})
  t.equal(lookUps.length, 1)
  t.match(events, [{ username: 'bob', profile: bobs }, { username: 'carol' }, { username: 'nobody' }])

  profiles.set('dora', { display_name: 'Dora' })
  t.match(await profiles.get('dora'), { display_name: 'Dora' })
  t.equal(lookUps.length, 1, 'a profile that the app has needs no look-up')
})

t.test('a request has at most 100 names and fits in a URL, and 5,000 profiles are cached', async (t) => {
  const { url } = await startServer(t)
  const { lookUps, fetch } = countLookUps()
  const alice = createMessenger(t, { url, username: 'alice', fetch })
  await alice.connect()
  const { profiles } = alice
  const names = (count: number, name: string) => Array.from({ length: count }, (_, index) => name + index)
  await Promise.all(names(120, 'user').map((name) => profiles.get(name)))
  t.strictSame(
    lookUps.map(({ length }) => length),
    [100, 20],
  )
  lookUps.length = 0
  await Promise.all(names(40, '字'.repeat(60)).map((name) => profiles.get(name)))
  t.strictSame(
    lookUps.map(({ length }) => length),
    [14, 14, 12],
  )
  lookUps.length = 0
  profiles.peek('user0')
  for (const name of names(4999, 'another')) profiles.set(name)
  await profiles.get('user0')
  t.strictSame(lookUps, [], 'the one that was used last stays')
  await profiles.get('user1')
  t.strictSame(lookUps, [['user1']])
})

t.test('a change of a profile is an event, and replaces the cached one', async (t) => {
  const { url } = await startServer(t)
  const [alice, bob] = [
    createMessenger(t, { url, username: 'alice' }),
    createMessenger(t, { url, username: 'bob' }),
  ]
  await Promise.all([open(alice), open(bob)])
  await alice.send({ receiver_username: 'bob', content: 'hello' })
  t.strictSame(await alice.profiles.get('bob'), {})
  const changed = next(alice, 'profile')
  t.strictSame(await bob.updateProfile({ display_name: 'Bob B.' }), { display_name: 'Bob B.' })
  t.match(await changed, { username: 'bob', profile: { display_name: 'Bob B.' } })
  t.strictSame(alice.profiles.peek('bob'), { display_name: 'Bob B.' })
  t.strictSame(bob.profiles.peek('bob'), { display_name: 'Bob B.' })
  t.strictSame(await bob.updateProfile({ display_name: null }), {})
  await t.rejects(bob.updateProfile({ avatar_url: 'http://a.example/' }), { code: 'VALIDATION_FAILED' })
})

t.test('a frame is newer than a reply that is on its way', async (t) => {
  const { url } = await startServer(t)
  let release = () => {}
  let asked = () => {}
  const requested = new Promise<void>((resolve) => {
    asked = resolve
  })
  const alice = createMessenger(t, {
    url,
    username: 'alice',
    fetch: async (request) => {
      const response = await fetch(request)
      if (!request.url.includes('usernames=')) return response
      await new Promise<void>((resolve) => {
        release = resolve
        asked()
      })
      return response
    },
  })
  const bob = createMessenger(t, { url, username: 'bob' })
  await Promise.all([open(alice), open(bob)])
  await alice.send({ receiver_username: 'bob', content: 'hello' })
  const early = alice.profiles.get('bob')
  const other = alice.profiles.get('carol')
  await requested
  const changed = next(alice, 'profile')
  await bob.updateProfile({ display_name: 'Bob B.' })
  await changed
  t.match(await early, { display_name: 'Bob B.' })
  release()
  t.strictSame(await other, {})
  t.match(alice.profiles.peek('bob'), { display_name: 'Bob B.' })
})

t.test('after a reconnection the profiles that were used last are looked up again', async (t) => {
  const { url, login } = await startServer(t)
  const bob = await login('bob')
  const proxy = await startProxy(t, url, () => 0, 0)
  proxy.calm()
  const { lookUps, fetch } = countLookUps()
  const alice = createMessenger(t, { url: proxy.url, username: 'alice', fetch })
  await open(alice)
  for (let index = 0; index < 150; index += 1) alice.profiles.set(`user${index}`)
  t.strictSame(await alice.profiles.get('bob'), {})
  lookUps.length = 0
  const changed = next(alice, 'profile')
  // They share no conversation, so no frame tells of the change.
  await bob.call('PATCH', '/users/me', { display_name: 'Bob B.' })
  proxy.cut()
  t.match(await changed, { username: 'bob', profile: { display_name: 'Bob B.' } })
  t.equal(lookUps.length, 1)
  t.equal(lookUps[0]?.length, 100)
  alice.profiles.peek('user0')
  await alice.profiles.get('user0')
  t.strictSame(lookUps[1], ['user0'], 'the others when they are used')
})

t.test('a failed look-up is reported by get(), and peek() makes a pause', async (t) => {
  const { url } = await startServer(t)
  let requests = 0
  const alice = createMessenger(t, {
    url,
    username: 'alice',
    fetch: (request) => {
      if (!request.url.includes('usernames=')) return fetch(request)
      requests += 1
      return Promise.reject(new Error('the network is away'))
    },
  })
  await alice.connect()
  const { profiles } = alice
  await t.rejects(profiles.get('bob'), { code: 'NETWORK' })
  t.strictSame(profiles.peek('bob'), {})
  await t.rejects(profiles.get('carol'), { code: 'NETWORK' })
  t.equal(requests, 2)

  const waiting = profiles.get('dora').catch(({ code }: MessengerError) => code)
  await alice.close()
  t.equal(await waiting, 'CLOSED')
  await t.rejects(unwrap(alice.api.GET('/users/me')), { code: 'CLOSED' })
})
