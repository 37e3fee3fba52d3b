import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import * as keys from '../../db/queries/server-keys.ts'
import * as users from '../../db/queries/users.ts'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Message, SentMessage } from '../../schemas/message.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { removeAccount } from '../../src/chat/removal.ts'
import { operator } from '../support/operator.ts'
import { createApp, startWithKey } from '../support/server-key.ts'
import { type Person, startServer } from '../support/server.ts'
import { refusedHandshake } from '../support/socket.ts'
import { loseNextBatch, nextWait } from '../support/stream.ts'
import { holdRead } from '../support/reads.ts'
import { digestOf } from '../support/test-database.ts'

const onBehalf = { 'on-behalf-of': 'alice' }

/** Whoever performs a step: a user with a token, or a server key on behalf of the user. */
type Caller = Pick<Person, 'call'>
type Stage = { direct: SentMessage; reply: SentMessage; group: Conversation }

/** Requests of ann, who wrote `direct` to bob, was answered by `reply`, and owns `group` with bob. */
const steps: Record<string, (stage: Stage, suffix: string) => readonly [string, string, object?]> = {
  'who I am': () => ['GET', '/users/me'],
  'a search': (_stage, suffix) => ['GET', `/users?prefix=bob${suffix}`],
  'a message': (_stage, suffix) => ['POST', '/send', { receiver_username: `bob${suffix}`, content: 'hi' }],
  'a message to nobody': () => ['POST', '/send', { receiver_username: 'nobody', content: 'hi' }],
  'an edit': ({ direct }) => ['PATCH', `/messages/${direct.id}`, { content: 'edited' }],
  'an edit of a message of another user': ({ reply }) => [
    'PATCH',
    `/messages/${reply.id}`,
    { content: 'edited' },
  ],
  'a deletion': ({ direct }) => ['DELETE', `/messages/${direct.id}`],
  'a deletion of a message of another user': ({ reply }) => ['DELETE', `/messages/${reply.id}`],
  'a history': (_stage, suffix) => ['GET', `/history/bob${suffix}`],
  conversations: () => ['GET', '/conversations'],
  members: ({ group }) => ['GET', `/conversations/${group.id}/members`],
  'a mark': ({ direct, reply }) => [
    'PUT',
    `/conversations/${direct.conversation_id}/receipt`,
    { read_up_to: reply.id },
  ],
  'a new group': (_stage, suffix) => ['POST', '/groups', { title: 'new', members: [`bob${suffix}`] }],
  'a new title': ({ group }) => ['PATCH', `/groups/${group.id}`, { title: 'other' }],
  'a new member': ({ group }, suffix) => ['PUT', `/groups/${group.id}/members/cid${suffix}`],
  'a group that is left': ({ group }, suffix) => ['DELETE', `/groups/${group.id}/members/ann${suffix}`],
  'a block': (_stage, suffix) => ['PUT', `/blocks/bob${suffix}`],
  events: () => ['GET', '/sync'],
}

t.test('a request on behalf of a user is the same as one by that user', async (t) => {
  const { login, asApp, rows } = await startWithKey(t, { RATE_LIMIT_LOGIN: '0' })
  let runs = 0
  const perform = async (name: string, callerOf: (ann: Person) => Caller) => {
    const suffix = `-${(runs += 1)}`
    const [ann, bob] = [await login(`ann${suffix}`), await login(`bob${suffix}`)]
    await login(`cid${suffix}`)
    const direct = await ann.send(bob.username, 'hello')
    const reply = await bob.send(ann.username, 'hello too')
    const group = await ann.createGroup('g', [bob.username])
    const step = steps[name] as (typeof steps)[string]
    const { status, body } = await callerOf(ann).call(...step({ direct, reply, group }, suffix))
    const stored = await rows(
      `select content, sender_id - ${ann.id} as sender, deleted_at is null as present from messages where id >= ${direct.id} order by id`,
    )
    return relative({ status, body, stored })
  }
  for (const name of Object.keys(steps)) {
    t.test(name, async (t) => {
      const own = await perform(name, (ann) => ann)
      const onBehalf = await perform(name, ({ username }) => ({
        call: (method, path, body) =>
          asApp(method, path, body, { 'on-behalf-of': encodeURIComponent(username) }),
      }))
      t.strictSame(onBehalf, own)
    })
  }
})

/** Ids, times and names differ between runs. Replaces each number by its place in the order of the first appearances. */
const relative = (value: unknown): unknown => {
  const seen = new Map<unknown, number>()
  return JSON.parse(JSON.stringify(value), (key, entry: unknown) => {
    if (key === 'request_id' || key === 'cursor' || /timestamp|_at$/.test(key)) return key
    if (typeof entry === 'number' && /(^|_)id$|_up_to$/.test(key) && entry > 0) {
      if (!seen.has(entry)) seen.set(entry, seen.size)
      return seen.get(entry)
    }
    return typeof entry === 'string' ? entry.replace(/-\d+$/, '') : entry
  })
}

t.test('the limits of a user do not apply to what a server key does', async (t) => {
  const { login, asApp } = await startWithKey(t, { RATE_LIMIT_SEND: '1', RATE_LIMIT_CHANGES: '2' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const request = { receiver_username: 'bob', content: 'hello' }
  const sent = await alice.send('bob', 'hello')
  t.match(await alice.call('POST', '/send', request), { status: 429, body: { code: 'RATE_LIMITED' } })
  for (let n = 0; n < 3; n += 1) {
    t.equal((await asApp('POST', '/send', request, onBehalf)).status, 200)
    const mark = { read_up_to: sent.id }
    t.equal(
      (await asApp('PUT', `/conversations/${sent.conversation_id}/receipt`, mark, onBehalf)).status,
      200,
    )
    t.equal((await asApp('POST', '/groups', { title: 'g', members: ['bob'] }, onBehalf)).status, 200)
  }
  t.equal((await bob.call('POST', '/groups', { title: 'g', members: ['alice'] })).status, 200)
  t.match(await bob.call('PUT', '/blocks/alice'), { status: 429 }, 'the limit of changes of a user')
})

t.test('every request says whether it is made by a user, on behalf of one, or by the app', async (t) => {
  const { login, asApp, call, folder } = await startWithKey(t)
  const alice = await login('alice')
  const direct = await alice.send('alice', 'note')
  const before = await digestOf(folder)
  const refused = async (reply: Promise<object>, detail: RegExp) =>
    t.match(await reply, { status: 403, body: { code: 'FORBIDDEN', detail } })

  for (const [method, path, body] of [
    ['GET', '/users/me'],
    ['GET', '/conversations'],
    ['GET', '/sync'],
    ['POST', '/send', { receiver_username: 'alice', content: 'x' }],
    ['PATCH', `/messages/${direct.id}`, { content: 'x' }],
    ['POST', '/logout'],
    ['DELETE', '/users/me'],
  ] as const) {
    await refused(asApp(method, path, body), /Send the name of the user in On-Behalf-Of/)
    await refused(alice.call(method, path, body, { 'on-behalf-of': 'alice' }), /Only a server key/)
  }
  for (const [method, path, body] of [
    ['PUT', '/users/alice', { display_name: 'Alice' }],
    ['DELETE', '/users/alice'],
    ['POST', '/users/alice/tokens', {}],
    ['POST', '/users/alice/logout'],
  ] as const) {
    await refused(alice.call(method, path, body), /Send a server key/)
    await refused(asApp(method, path, body, { 'on-behalf-of': 'alice' }), /without On-Behalf-Of/)
    t.match(await call(method, path, { ...(body && { body }) }), { status: 401 })
  }
  await refused(asApp('POST', '/token', undefined, onBehalf), /POST \/users\/\{username\}\/tokens/)
  await refused(asApp('POST', '/logout', undefined, onBehalf), /everywhere=true/)
  await refused(
    asApp('PUT', '/users/me/password', { password: 'open sesame' }, onBehalf),
    /sets the password with a token/,
  )
  t.equal(await digestOf(folder), before, 'nothing changed')
  t.equal((await asApp('POST', '/logout?everywhere=true', undefined, onBehalf)).status, 204)
  t.match(await alice.call('GET', '/users/me'), { status: 401 })
})

t.test('a server key opens no socket', async (t) => {
  const { login, key, url } = await startWithKey(t)
  const alice = await login('alice')
  const detail = /POST \/users\/\{username\}\/tokens/
  const ws = `${url.replace('http', 'ws')}/ws`
  for (const [headers, protocols] of [
    [{ authorization: `Bearer ${key}` }, ['messenger.v1']],
    [{ authorization: `Bearer ${key}`, 'on-behalf-of': 'alice' }, ['messenger.v1']],
    [{}, ['messenger.v1', `bearer.${key}`]],
  ] as const) {
    t.match(await refusedHandshake(ws, headers, [...protocols]), {
      status: 403,
      body: { code: 'FORBIDDEN', detail },
    })
  }
  const socket = await alice.connect()
  t.match(await socket.request({ type: 'auth', token: key }), {
    type: 'error',
    problem: { code: 'UNAUTHORIZED' },
  })
})

t.test('On-Behalf-Of is one name of a user, percent-encoded', async (t) => {
  const { login, asApp, key, url } = await startWithKey(t)
  await login('Zoë')
  await login('removed')
  const me = (name: string) =>
    asApp<{ username: string }>('GET', '/users/me', undefined, { 'on-behalf-of': name })
  for (const name of ['Zo%C3%AB', 'zo%c3%ab', 'ZO%C3%8B', 'Zoe%CC%88', '%5A%6F%C3%AB']) {
    for (const again of ['first', 'cached'])
      t.match(await me(name), { status: 200, body: { username: 'Zoë' } }, `${name}, ${again}`)
  }
  const invalid = {
    status: 400,
    body: { code: 'VALIDATION_FAILED', errors: [{ path: '/headers/on-behalf-of' }] },
  }
  for (const name of [
    '',
    ' ',
    '%',
    '%zz',
    '%ff',
    '%C3',
    'Zo\u00eb',
    '%00',
    '..',
    'a%2Fb',
    'a, b',
    'a,b',
    'x'.repeat(65),
  ])
    for (const again of ['first', 'second']) t.match(await me(name), invalid, `${name}, ${again}`)
  t.match(await me('nobody'), {
    status: 404,
    body: { code: 'USER_NOT_FOUND', errors: [{ path: '/headers/on-behalf-of', in: 'header' }] },
  })
  t.match(await me('removed'), { status: 200 })
  t.equal((await asApp('DELETE', '/users/removed')).status, 204)
  t.match(
    await me('removed'),
    { status: 404, body: { code: 'USER_NOT_FOUND' } },
    'no name of a removed user is cached',
  )

  const twice = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  await once(twice, 'connect')
  twice.end(
    [
      'GET /users/me HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${key}`,
      'On-Behalf-Of: Zo%C3%AB',
      'On-Behalf-Of: removed',
      'Connection: close',
      '\r\n',
    ].join('\r\n'),
  )
  t.match(await text(twice), /^HTTP\/1\.1 400 .*on-behalf-of/s, 'two headers are no name')
})

t.test('only a complete key of this server is accepted, and no part of it is stored or logged', async (t) => {
  const { asApp, call, key, rows, folder } = await startWithKey(t)
  t.match(key, /^msk_[\w-]{43}$/)
  const put = (token: string) => call('PUT', '/users/alice', { token, body: {} })
  t.match(await asApp('PUT', '/users/alice', {}), { status: 200, body: { username: 'alice' } })
  for (const token of [
    key.slice(0, -1),
    `${key}A`,
    `msk_${randomBytes(32).toString('base64url')}`,
    'msk_',
    key.toUpperCase(),
    key.slice('msk_'.length),
  ]) {
    t.match(await put(token), { status: 401, body: { code: 'UNAUTHORIZED' } }, token)
  }
  const [row] = await rows('select name, hash from server_keys')
  t.notMatch(JSON.stringify(row), key.slice(4))
  t.match(row, { name: 'app', hash: { length: 32 } })
  const { admin } = operator(folder)
  t.notMatch((await admin(['key', 'list'])).out, key)
})

t.test('a revoked key ends at once, and so do the calls that wait', async (t) => {
  const { login, asApp, folder } = await startWithKey(t)
  const alice = await login('alice')
  const { admin } = operator(folder)
  const { body } = await alice.call<SyncPage>('GET', '/sync')
  const waiting = asApp('GET', `/sync?wait=30&cursor=${body.cursor}`, undefined, onBehalf)
  const hers = alice.call<SyncPage>('GET', `/sync?wait=30&cursor=${body.cursor}`)
  t.match(await asApp('GET', '/users/me', undefined, onBehalf), { status: 200 })
  t.match(await admin(['key', 'revoke', 'app']), { code: 0, out: /has ended/ })
  t.match(await waiting, { status: 401 })
  t.match(await asApp('GET', '/users/me', undefined, onBehalf), { status: 401, body: { detail: /revoked/ } })
  t.match(await asApp('PUT', '/users/bob', {}), { status: 401 })
  await alice.send('alice', 'still here')
  t.match(await hers, { status: 200, body: { events: [{}, {}] } }, 'the user is not concerned')
})

t.test('a call that waits on behalf of a user ends when the account is removed', async (t) => {
  const server = await startWithKey(t)
  const { login, asApp } = server
  const alice = await login('alice')
  const { body } = await alice.call<SyncPage>('GET', '/sync')
  const isWaiting = nextWait(server)
  const waiting = asApp('GET', `/sync?wait=30&cursor=${body.cursor}`, undefined, onBehalf)
  await isWaiting
  t.match(await asApp('DELETE', '/users/alice'), { status: 204 })
  t.match(await waiting, { status: 404, body: { code: 'USER_NOT_FOUND' } })
})

t.test('a lost notice ends the calls of the revoked key only', async (t) => {
  const server = await startServer(t)
  const { app, login } = server
  const [first, second] = [await createApp(server, 'first'), await createApp(server, 'second')]
  const alice = await login('alice')
  const { body } = await alice.call<SyncPage>('GET', '/sync')
  const polls = []
  for (const { call } of [first, second]) {
    const isWaiting = nextWait(server)
    polls.push(call<SyncPage>('GET', `/sync?wait=30&cursor=${body.cursor}`, undefined, onBehalf))
    await isWaiting
  }
  loseNextBatch(server)
  await app.chat.writer.append('revokeServerKey', { name: 'first' })
  await login('bob')
  t.match(await polls[0], { status: 401 })
  t.match(await first.call('GET', '/users/me', undefined, onBehalf), { status: 401 })
  await alice.send('alice', 'note')
  t.match(await polls[1], { status: 200, body: { events: [{}, {}] } })
})

t.test('what was read before a key ended or a user was removed is not cached', async (t) => {
  const server = await startWithKey(t)
  const { asApp, app, login, folder } = server
  await login('alice')
  const me = () => asApp('GET', '/users/me', undefined, onBehalf)
  const user = holdRead(server, users.userByKey)
  const early = me()
  await user.reached
  await removeAccount(app.chat, 1)
  user.release()
  t.match(await early, { status: 200 })
  t.match(await me(), { status: 404 })
  const { call } = await createApp(server, 'late')
  const key = holdRead(server, keys.serverKeyByHash)
  const late = call('PUT', '/users/carol', {})
  await key.reached
  await operator(folder).change('revoke-key', { name: 'late' })
  key.release()
  t.match(await late, { status: 200 })
  t.match(await call('PUT', '/users/carol', {}), { status: 401 })
})

t.test('the app deletes every message, and changes every group', async (t) => {
  const { login, asApp } = await startWithKey(t)
  const [alice, bob, carol] = [await login('alice'), await login('bob'), await login('carol')]
  const direct = await alice.send('bob', 'rude')
  const group = await alice.createGroup('g', ['bob'])
  const said = await bob.send(group.id, 'hello')
  const socket = await bob.connect()

  const deleted = await asApp<Message>('DELETE', `/messages/${direct.id}`)
  t.match(deleted, { status: 200, body: { id: direct.id, content: '', deleted_at: /Z$/, sender: 'alice' } })
  t.notOk('client_id' in deleted.body)
  await socket.wait('message_updated', ({ id, deleted_at }) => id === direct.id && deleted_at !== undefined)
  t.strictSame(
    await asApp('DELETE', `/messages/${direct.id}`).then(({ body }) => body),
    deleted.body,
    'repeated',
  )
  t.match(await asApp('DELETE', '/messages/999999'), { status: 404, body: { code: 'MESSAGE_NOT_FOUND' } })

  const shown = { id: group.id, kind: 'group', title: 'Order 7', member_count: 2, unread_count: 0 }
  const renamed = await asApp<Conversation>('PATCH', `/groups/${group.id}`, { title: 'Order 7' })
  t.match(renamed, { status: 200, body: { ...shown, last_message: { id: said.id } } })
  t.notOk('role' in renamed.body)
  await socket.wait('conversation', ({ title }) => title === 'Order 7')
  await carol.call('PUT', '/blocks/alice')
  t.match(await asApp('PUT', `/groups/${group.id}/members/carol`), { status: 200, body: { member_count: 3 } })
  t.match((await carol.conversation(group.id)).role, 'member')
  t.match(await asApp('PUT', `/groups/${group.id}/members/nobody`), {
    status: 404,
    body: { code: 'USER_NOT_FOUND' },
  })
  t.equal((await asApp('DELETE', `/groups/${group.id}/members/alice`)).status, 204)
  t.equal((await bob.conversation(group.id)).role, 'owner')
  for (const name of ['bob', 'carol'])
    t.equal((await asApp('DELETE', `/groups/${group.id}/members/${name}`)).status, 204)
  t.match(await asApp('PATCH', `/groups/${group.id}`, { title: 'nobody is left' }), {
    status: 200,
    body: { member_count: 0, last_message: { id: said.id } },
  })
  const empty = await carol.createGroup('empty', [])
  t.notOk('last_message' in (await asApp('PATCH', `/groups/${empty.id}`, { title: 'e' })).body)
  for (const [method, path, body] of [
    ['PATCH', `/groups/${direct.conversation_id}`, { title: 'x' }],
    ['PUT', '/groups/999999/members/bob'],
    ['DELETE', '/groups/999999/members/bob'],
  ] as const) {
    t.match(await asApp(method, path, body), { status: 404, body: { code: 'CONVERSATION_NOT_FOUND' } })
  }
})
