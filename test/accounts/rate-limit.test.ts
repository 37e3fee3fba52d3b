import t from 'tap'
import { createRateLimit, networkOf } from '../../src/chat/rate-limit.ts'
import { AppError } from '../../src/errors.ts'
import { startServer } from '../support/server.ts'

t.test('a bucket refills steadily, each key has its own bucket, and 0 disables the limit', async (t) => {
  let now = 0
  const limit = createRateLimit(60, () => now)
  const refused = (key: string | number) => {
    try {
      limit(key)
      return undefined
    } catch (error) {
      t.ok(error instanceof AppError && error.code === 'RATE_LIMITED')
      return (error as AppError).retryAfter
    }
  }
  for (let n = 0; n < 60; n++) limit('a')
  t.equal(refused('a'), 1, 'the next call must wait one second')
  t.equal(refused('b'), undefined)
  now = 999
  t.equal(refused('a'), 1)
  now = 1000
  t.equal(refused('a'), undefined)
  t.equal(refused('a'), 1, 'a refused call costs nothing and an allowed call does')
  now = 10_000_000
  for (let n = 0; n < 60; n++) limit('a')
  t.equal(refused('a'), 1, 'a bucket holds one minute of calls')

  const slow = createRateLimit(1, () => now)
  slow(1)
  t.throws(() => slow(1), /Try again in 60 s/)
  const none = createRateLimit(0)
  for (let n = 0; n < 1000; n++) none('a')
})

t.test('a call takes its cost, and a cost above the capacity needs a full bucket', (t) => {
  let now = 0
  const limit = createRateLimit(60, () => now)
  limit('a', 50)
  t.throws(
    () => limit('a', 20),
    /The limit is 60 per minute, and this request counts as 20\. Try again in 10 s/,
  )
  limit('a', 10)
  t.throws(() => limit('a', 100), /Try again in 60 s/)
  now = 60_000
  limit('a', 100)
  t.throws(() => limit('a'), /The limit is 60 per minute\. Try again in 41 s/)
  now += 41_000
  limit('a')
  t.end()
})

t.test('logins are limited by address', async (t) => {
  const { call, rows } = await startServer(t, { RATE_LIMIT_LOGIN: '2', TRUST_PROXY: '127.0.0.1' })
  const login = (address: string) =>
    call('POST', '/login', { body: { username: 'alice' }, headers: { 'x-forwarded-for': address } })
  t.equal((await login('192.0.2.1')).status, 200)
  t.equal((await login('192.0.2.1')).status, 200)
  const refused = await login('192.0.2.1')
  t.match(refused, { status: 429, body: { code: 'RATE_LIMITED', status: 429 } })
  t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/)
  t.equal((await login('192.0.2.2')).status, 200, 'another address has its own limit')
  t.equal((await rows('select id from users')).length, 1)
})

t.test('IPv6 addresses of one /64 network share one limit', async (t) => {
  const { call } = await startServer(t, { RATE_LIMIT_LOGIN: '2', TRUST_PROXY: '127.0.0.1' })
  const login = (address: string) =>
    call('POST', '/login', { body: { username: 'alice' }, headers: { 'x-forwarded-for': address } })
  t.equal((await login('2001:db8:1:2::1')).status, 200)
  t.equal((await login('2001:db8:1:2:ffff:ffff:ffff:ffff')).status, 200)
  t.equal((await login('2001:DB8:1:2:0:3::')).status, 429)
  t.equal((await login('2001:db8:1:3::1')).status, 200, 'the next network has its own limit')
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::1', '0:0:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['2001:0db8::', '2001:db8:0:0'],
    ['2001:db8:0:a:b:c:d:e', '2001:db8:0:a'],
    ['1::2:3:4:5:6:7', '1:0:2:3'],
    ['unknown', 'unknown'],
  ] as const) {
    t.equal(networkOf(address), network, address)
  }
})

t.test('the address is that of the connection unless a proxy is trusted', async (t) => {
  const { call } = await startServer(t, { RATE_LIMIT_LOGIN: '1' })
  const login = (address: string) =>
    call('POST', '/login', { body: { username: 'alice' }, headers: { 'x-forwarded-for': address } })
  t.equal((await login('192.0.2.1')).status, 200)
  t.equal((await login('192.0.2.2')).status, 429)
})

t.test('sends and edits share one limit by user over HTTP and the socket', async (t) => {
  const { login, rows } = await startServer(t, { RATE_LIMIT_SEND: '4' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const [socket, his] = [await alice.connect(), await bob.connect()]
  const body = { receiver_username: 'bob', content: 'x' }
  const { id } = await alice.send('bob', 'one')
  t.equal((await socket.request(body)).type, 'ack')
  t.equal((await alice.call('PATCH', `/messages/${id}`, { content: 'two' })).status, 200)
  t.equal((await socket.request(body)).type, 'ack')
  const refused = await alice.call('POST', '/send', body)
  t.match(refused, { status: 429, body: { code: 'RATE_LIMITED' } })
  t.match(refused.headers.get('retry-after'), /^[1-9]\d*$/)
  t.match(await socket.request(body), {
    type: 'error',
    retryable: true,
    retry_after: Number,
    problem: { code: 'RATE_LIMITED', status: 429 },
  })
  t.equal((await alice.call('PATCH', `/messages/${id}`, { content: 'three' })).status, 429)
  t.equal((await alice.call('GET', '/history/bob')).status, 200, 'reads are not limited')
  t.equal((await bob.send('alice', 'x')).status, 'sent', 'other users are not limited')
  await his.settle()
  t.equal((await rows('select id from messages')).length, 4)
})

t.test('password guesses are limited by account, whatever the address', async (t) => {
  const { login } = await startServer(t, { RATE_LIMIT_LOGIN: '3' })
  const alice = await login('alice', 'a long secret')
  const guess = () =>
    alice.call('PUT', '/users/me/password', { password: 'a new secret', current_password: 'guess' })
  for (let n = 0; n < 3; n++) t.equal((await guess()).status, 401)
  t.match(await guess(), { status: 429, body: { code: 'RATE_LIMITED' } })
})

t.test('token renewals are limited by user', async (t) => {
  const { login } = await startServer(t, { RATE_LIMIT_LOGIN: '3' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  for (let n = 0; n < 3; n++) t.equal((await alice.call('POST', '/token')).status, 200)
  t.match(await alice.call('POST', '/token'), { status: 429, body: { code: 'RATE_LIMITED' } })
  t.equal((await alice.call('GET', '/users/me')).status, 200, 'the token stays valid')
  t.equal((await bob.call('POST', '/token')).status, 200, 'another user can renew')
})
t.test(
  'receipts, deletions and group changes are limited by user and by the members that they affect',
  async (t) => {
    const { login, rows } = await startServer(t, { RATE_LIMIT_CHANGES: '6' })
    const [alice, bob] = [await login('alice'), await login('bob')]
    await login('carol')
    const { id } = await alice.send('bob', 'one')
    const refused = { status: 429, body: { code: 'RATE_LIMITED' } }
    const make = () =>
      alice.call('POST', '/groups', { title: 'g', members: ['BOB', 'bob', 'carol', 'alice'] })
    t.match(await make(), { status: 200 }, 'cost of three members')
    const [group] = await rows("select id from conversations where kind = 'group'")
    const path = `/groups/${Number(group?.id)}`
    t.match(await alice.call('PATCH', path, { title: 'h' }), { status: 200 }, 'cost of three members again')
    const reply = await make()
    t.match(reply, refused)
    t.match(reply.headers.get('retry-after'), /^[1-9]\d*$/)
    t.match(await alice.call('PATCH', path, { title: 'i' }), refused)
    t.match(await alice.call('PUT', '/blocks/carol'), refused)
    t.match(await alice.call('DELETE', '/blocks/carol'), refused)
    t.match(await alice.call('PUT', `${path}/members/bob`), refused)
    t.match(await alice.call('DELETE', `${path}/members/bob`), refused)
    await alice.send('bob', 'sends have a limit of their own')
    t.match(await rows('select title, member_count from conversations where title is not null'), [
      { title: 'h', member_count: 3 },
    ])

    const socket = await bob.connect()
    const receipt = { read_up_to: id }
    const { conversation_id } = (await bob.history('alice'))[0] as { conversation_id: number }
    for (let n = 0; n < 3; n++) {
      t.match(await bob.call('PUT', `/conversations/${conversation_id}/receipt`, receipt), { status: 200 })
      t.match(await socket.request({ type: 'receipt', conversation_id, ...receipt }), { type: 'ack' })
    }
    const error = { type: 'error', retryable: true, retry_after: Number, problem: { code: 'RATE_LIMITED' } }
    t.match(await socket.request({ type: 'receipt', conversation_id, ...receipt }), error)
    t.match(await socket.request({ type: 'delete', message_id: id }), error)
    t.match(await bob.call('DELETE', `/messages/${id}`), refused)
    t.match(
      await bob.call('PATCH', '/groups/12345', { title: 'x' }),
      refused,
      'the reply is the same whether the group exists or not',
    )
  },
)
