import t from 'tap'
import type { Me, Session, User } from '../../schemas/account.ts'
import type { Member } from '../../schemas/conversation.ts'
import type { Problem } from '../../schemas/problem.ts'
import { type Person, startServer } from '../support/server.ts'
import { counterOf } from '../support/stream.ts'

const profile = {
  display_name: 'Ann Example 𝄞',
  avatar_url: 'https://pictures.example/ann.png?size=64#face',
  metadata: { color: 'green', nested: [1, { a: null }] },
}

const change = (person: Person, body: unknown) => person.call<Me>('PATCH', '/users/me', body)

t.test('a profile is shown wherever its user is', async (t) => {
  const { call, login } = await startServer(t)
  const [ann, bob] = [await login('ann'), await login('bob')]
  const { conversation_id } = await ann.send('bob', 'hello')
  const group = await bob.createGroup('g', ['ann'])
  const user = { id: ann.id, username: 'ann', profile }
  const me = { ...user, has_password: false }

  const { status, body } = await change(ann, profile)
  t.equal(status, 200)
  t.strictSame(body, me)
  t.strictSame((await ann.call<Me>('GET', '/users/me')).body, me)
  t.strictSame((await bob.call<User>('GET', '/users/ANN')).body, user, 'case is ignored')
  t.strictSame((await bob.call('GET', '/users?prefix=an')).body, { users: [user] })
  t.strictSame((await bob.call('GET', '/users?usernames=ann')).body, { users: [user] })
  t.match(await bob.conversation(conversation_id), { peer: 'ann', peer_profile: profile })
  t.match(await bob.conversations(), [{ id: group.id }, { peer: 'ann', peer_profile: profile }])
  t.notOk('peer_profile' in (await ann.conversation(conversation_id)), 'bob has none')
  for (const id of [conversation_id, group.id]) {
    const { members } = (await bob.call<{ members: Member[] }>('GET', `/conversations/${id}/members`)).body
    t.strictSame(members.find(({ username }) => username === 'ann')?.profile, profile)
    t.notOk('profile' in (members.find(({ username }) => username === 'bob') as Member))
  }
  const session = await call<Session>('POST', '/login', { body: { username: 'ann' } })
  t.strictSame(session.body.user, user)
  t.strictSame((await ann.call<Session>('POST', '/token')).body.user, user)
})

t.test(
  'null removes a member of a profile, an absent one stays, and an equal one changes nothing',
  async (t) => {
    const { login, rows } = await startServer(t)
    const ann = await login('ann')
    const base = await counterOf(ann)
    const profileAfter = async (body: object) => (await change(ann, body)).body.profile

    t.strictSame(await profileAfter(profile), profile)
    t.equal(await counterOf(ann), base + 1)
    t.strictSame(await profileAfter({}), profile)
    t.strictSame(
      await profileAfter({ display_name: profile.display_name, metadata: profile.metadata }),
      profile,
    )
    t.equal(await counterOf(ann), base + 1, 'these changed nothing')
    const { avatar_url: _, ...rest } = profile
    t.strictSame(await profileAfter({ avatar_url: null }), rest)
    t.strictSame(await profileAfter({ display_name: 'b', metadata: {} }), { display_name: 'b', metadata: {} })
    t.equal(await counterOf(ann), base + 3)
    t.equal(await profileAfter({ display_name: null, metadata: null }), undefined)
    t.equal(await profileAfter({ display_name: null }), undefined)
    t.equal(await counterOf(ann), base + 4)
    t.match(await rows('select display_name, display_key, avatar_url, metadata, changed from users'), [
      { display_name: null, display_key: null, avatar_url: null, metadata: null, changed: base + 4 },
    ])
  },
)

t.test('a profile is validated, and a refused one stores nothing', async (t) => {
  const { login } = await startServer(t)
  const ann = await login('ann')
  const base = await counterOf(ann)
  const url = (length: number) => `https://a.example/${'x'.repeat(length - 18)}`
  const text = 'must be well-formed Unicode without U+0000'
  const https = 'must be an absolute URL with the scheme https'
  const json = 'must be at most 1024 bytes of JSON'
  const refused: [string, unknown, string][] = [
    ['display_name', '', 'must not be empty'],
    ['display_name', '😀'.repeat(129), 'must not be longer than 128 characters'],
    ['display_name', '\ud83d', text],
    ['display_name', 'a\0', text],
    ['display_name', 7, 'must be a string or null'],
    ['avatar_url', '', https],
    ['avatar_url', 'http://a.example/', https],
    ['avatar_url', 'HTTPS://a.example/', https],
    ['avatar_url', 'javascript:alert(1)', https],
    ['avatar_url', 'data:image/png;base64,AAAA', https],
    ['avatar_url', '//a.example/', https],
    ['avatar_url', '/ann.png', https],
    ['avatar_url', 'https://', https],
    ['avatar_url', 'https://a b.example/', https],
    ['avatar_url', ' https://a.example/', https],
    ['avatar_url', 'https://a.example/\n', https],
    ['avatar_url', 'https://a.example/\u0085', https],
    ['avatar_url', 'https://a.example/\ud800', https],
    ['avatar_url', 'https://a.example:99999/', https],
    ['avatar_url', url(2049), 'must not be longer than 2,048 characters'],
    ['metadata', [], 'must be an object or null'],
    ['metadata', 'x', 'must be an object or null'],
    ['metadata', { a: 'x'.repeat(1017) }, json],
    ['metadata', { a: '\ud800' }, text],
    ['name', 'x', 'is not a known member'],
  ]
  for (const [member, value, message] of refused) {
    const { status, body } = await ann.call<Problem>('PATCH', '/users/me', {
      display_name: 'not stored',
      [member]: value,
    })
    t.equal(status, 400, `${member} ${JSON.stringify(value).slice(0, 60)}`)
    t.match(body, {
      code: 'VALIDATION_FAILED',
      errors: [{ path: `/${member}`, message: `${member} ${message}` }],
    })
  }
  const { body } = await ann.call<Problem>('PATCH', '/users/me', '{"metadata":{"a":1e999}}')
  t.match(body, { code: 'VALIDATION_FAILED', errors: [{ path: '/metadata' }] })
  t.equal(await counterOf(ann), base)
  for (const accepted of [
    { display_name: '😀'.repeat(128) },
    { avatar_url: url(2048) },
    { metadata: { a: 'x'.repeat(1016) } },
  ]) {
    t.match((await change(ann, accepted)).body, { profile: accepted })
  }
})

t.test('changes of a profile count against the limit of changes', async (t) => {
  const { login } = await startServer(t, { RATE_LIMIT_CHANGES: '2' })
  const ann = await login('ann')
  const codes = []
  for (const display_name of ['a', 'b', 'c']) codes.push((await change(ann, { display_name })).status)
  t.strictSame(codes, [200, 200, 429])
})

t.test('search finds the beginnings of usernames and of display names', async (t) => {
  const { login } = await startServer(t)
  const people = {
    ann: 'Zoë Straße',
    'auth-1': 'Änne Maier',
    'auth-2': 'annika',
    'auth-3': 'ΟΔΟΣ',
    bob: null,
    zed: 'Zed',
  }
  const persons: Person[] = []
  for (const [username, display_name] of Object.entries(people)) {
    const person = await login(username)
    if (display_name) await change(person, { display_name })
    persons.push(person)
  }
  const [ann, , , , , zed] = persons as [Person, Person, Person, Person, Person, Person]
  const find = async (prefix: string, more = '') =>
    (
      await ann.call<{ users: User[] }>('GET', `/users?prefix=${encodeURIComponent(prefix)}${more}`)
    ).body.users.map(({ username }) => username)

  t.strictSame(await find('AN'), ['ann', 'auth-2'], 'ordered by the name that begins with the prefix')
  t.strictSame(await find('z'), ['zed', 'ann'], 'a user is found once')
  t.strictSame(await find('a\u0308N'), ['auth-1'], 'in either normal form')
  t.strictSame(await find('zoë STRASS'), ['ann'])
  t.strictSame(await find('οδος'), ['auth-3'])
  t.strictSame(await find('maier'), [], 'only the beginning of a display name')
  t.strictSame(await find('', '&limit=3'), ['ann', 'auth-2', 'auth-1'])
  t.strictSame(await find(''), ['ann', 'auth-2', 'auth-1', 'auth-3', 'bob', 'zed'], 'all, each once')
  t.strictSame(await find('\u{10ffff}'), [])
  await change(zed, { display_name: 'Andy' })
  t.strictSame(await find('an'), ['zed', 'ann', 'auth-2'], 'under the new name')
  t.strictSame(await find('ze'), ['zed'])
  await zed.call('DELETE', '/users/me')
  t.strictSame(await find('andy'), [])
})

t.test('users are found by a list of usernames', async (t) => {
  const { login } = await startServer(t)
  const ann = await login('ann')
  for (const name of ['Bob', 'ärger', 'gone', 'me']) await login(name)
  await (await login('gone')).call('DELETE', '/users/me')
  const find = (query: string) => ann.call<{ users: User[] }>('GET', `/users?${query}`)
  const names = async (...list: string[]) =>
    (await find(`usernames=${list.map(encodeURIComponent).join(',')}`)).body.users.map(
      ({ username }) => username,
    )

  t.strictSame(await names('bob', 'nobody', 'ÄRGER', 'ann', 'ANN', 'gone', 'no body', '', '"', 'me'), [
    'ann',
    'Bob',
    'me',
    'ärger',
  ])
  t.strictSame(await names('nobody'), [])
  const many = Array.from({ length: 99 }, (_, index) => `n${index}`)
  t.strictSame(await names(...many, 'bob'), ['Bob'])
  for (const [query, message] of [
    [`usernames=${[...many, 'a', 'b'].join(',')}`, 'usernames must not have more than 100 names'],
    ['usernames=', 'usernames must not be empty'],
    ['usernames=a&prefix=b', 'usernames must not be combined with prefix'],
    ['usernames=%00', 'usernames must be well-formed Unicode without U+0000'],
  ] as const) {
    const { status, body } = await ann.call<Problem>('GET', `/users?${query}`)
    t.equal(status, 400, query.slice(0, 40))
    t.match(body.errors, [{ in: 'query', message }])
  }
})

t.test('a user is found by name, unless there is none or the account was removed', async (t) => {
  const { login, rows } = await startServer(t)
  const [ann, bob] = [await login('ann'), await login('bob')]
  const { conversation_id } = await ann.send('bob', 'hello')
  await change(bob, profile)
  await bob.call('DELETE', '/users/me')
  for (const [name, code] of [
    ['bob', 'USER_NOT_FOUND'],
    ['nobody', 'USER_NOT_FOUND'],
    ['no body', 'VALIDATION_FAILED'],
  ] as const) {
    const { body } = await ann.call<Problem>('GET', `/users/${encodeURIComponent(name)}`)
    t.match(body, { code, errors: [{ path: '/username', in: 'path' }] }, name)
  }
  t.match(await ann.conversation(conversation_id), { peer: 'bob' })
  t.notOk('peer_profile' in (await ann.conversation(conversation_id)), 'a removed account shows no profile')
  t.strictSame(
    await rows("select display_name, display_key, avatar_url, metadata from users where username = 'bob'"),
    [{ display_name: null, display_key: null, avatar_url: null, metadata: null }],
  )
})
