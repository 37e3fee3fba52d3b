import t, { type Test } from 'tap'
import type { FeedPage } from '../../schemas/feed.ts'
import type { Report, ReportList, SentReport } from '../../schemas/report.ts'
import { startWithKey } from '../support/server-key.ts'
import type { Env, Person } from '../support/server.ts'
import { digestOf } from '../support/test-database.ts'

const start = async (t: Test, env: Env = {}) => {
  const server = await startWithKey(t, env)
  return {
    ...server,
    list: async (query = '') => (await server.asApp<ReportList>('GET', `/reports${query}`)).body,
  }
}

const report = (person: Person, id: number, body: object = { reason: 'spam' }) =>
  person.call<SentReport>('POST', `/messages/${id}/reports`, body)

t.test('the app sees a reported message as it was, and decides about it', async (t) => {
  const { asApp, login, list } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const rude = await bob.send('alice', 'rude')
  const socket = await bob.connect()
  const sent = await report(alice, rude.id, { reason: 'abuse', comment: 'He always does this. 𝄞' })
  t.equal(sent.status, 200)
  t.notOk(sent.headers.has('idempotent-replayed'))
  t.match(sent.body, { message_id: rude.id, reason: 'abuse', comment: 'He always does this. 𝄞' })
  await bob.call('PATCH', `/messages/${rude.id}`, { content: 'kind' })
  await asApp('DELETE', `/messages/${rude.id}`)
  await asApp('DELETE', '/users/alice')

  const expected: Report = {
    ...sent.body,
    conversation_id: rude.conversation_id,
    sender: 'bob',
    reporter: 'alice',
    content: 'rude',
    status: 'open',
  }
  t.strictSame(await list(), { reports: [expected] })
  const { events } = (await asApp<FeedPage>('GET', '/events?cursor=0')).body
  t.strictSame(
    events.flatMap((event) => (event.type === 'report.created' ? [event.report] : [])),
    [expected],
    'the feed has it',
  )
  t.strictSame(await list('?status=open'), { reports: [expected] })
  t.strictSame(await list('?status=resolved'), { reports: [] })

  const decide = (body: object) => asApp<Report>('PATCH', `/reports/${expected.id}`, body)
  const resolved = { ...expected, status: 'resolved', note: 'Deleted.' }
  const first = await decide({ status: 'resolved', note: 'Deleted.' })
  t.strictSame([first.status, first.body], [200, resolved])
  t.strictSame((await decide({ status: 'resolved' })).body, resolved, 'an absent note stays')
  t.strictSame(await list('?status=resolved'), { reports: [resolved] })
  t.strictSame((await decide({ status: 'dismissed', note: null })).body, { ...expected, status: 'dismissed' })
  t.match(await socket.settle(), { type: 'pong' })
  t.notOk(
    socket.frames.some((frame) => JSON.stringify(frame).includes('always')),
    'the sender learns nothing',
  )
})

t.test('a repeated report is the first one, and a repeated decision changes nothing', async (t) => {
  const { asApp, login, folder, list } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const group = await bob.createGroup('g', ['alice'])
  const { id } = await bob.send(group.id, 'buy this')
  const first = await report(alice, id)
  await bob.call('DELETE', `/groups/${group.id}/members/alice`)
  await bob.call('DELETE', `/messages/${id}`)
  const path = `/reports/${first.body.id}`
  await asApp('PATCH', path, { status: 'resolved', note: 'Removed.' })
  const before = await digestOf(folder)
  for (const body of [{ reason: 'spam' }, { reason: 'illegal', comment: 'Or this?' }]) {
    const again = await report(alice, id, body)
    t.strictSame([again.status, again.body], [200, first.body])
    t.equal(again.headers.get('idempotent-replayed'), 'true')
  }
  await asApp('PATCH', path, { status: 'resolved', note: 'Removed.' })
  t.equal(await digestOf(folder), before)
  const parallel = await bob.send('alice', 'again')
  const ids = await Promise.all(Array.from({ length: 5 }, () => report(alice, parallel.id)))
  t.equal(new Set(ids.map(({ body }) => body.id)).size, 1)
  t.match(await report(bob, parallel.id), { status: 200 }, 'others report it too')
  t.equal((await list()).reports.length, 3)
})

t.test('only a message that one can see, and that has content, can be reported', async (t) => {
  const { asApp, login, folder } = await start(t)
  const [alice, bob, carol] = [await login('alice'), await login('bob'), await login('carol')]
  const { id } = await bob.send('alice', 'private')
  const gone = await bob.send('alice', 'gone')
  await bob.call('DELETE', `/messages/${gone.id}`)
  const before = await digestOf(folder)
  for (const [who, message] of [
    [carol, id],
    [carol, gone.id],
    [alice, 999_999],
  ] as const)
    t.match(await report(who, message), { status: 404, body: { code: 'MESSAGE_NOT_FOUND' } })
  t.match(await report(alice, gone.id), { status: 409, body: { code: 'MESSAGE_DELETED' } })
  for (const [body, path] of [
    [{}, '/reason'],
    [{ reason: '' }, '/reason'],
    [{ reason: 'x'.repeat(65) }, '/reason'],
    [{ reason: 'spam', comment: '' }, '/comment'],
    [{ reason: 'spam', comment: '𝄞'.repeat(1001) }, '/comment'],
    [{ reason: 'spam', status: 'open' }, '/status'],
  ] as const)
    t.match(await report(alice, id, body), { status: 400, body: { errors: [{ path }] } })
  t.match(await alice.call('GET', '/reports'), { status: 403, body: { code: 'FORBIDDEN' } })
  t.match(await alice.call('PATCH', '/reports/1', { status: 'open' }), { status: 403 })
  t.match(await asApp('POST', `/messages/${id}/reports`, { reason: 'spam' }), { status: 403 })
  t.match(await asApp('PATCH', '/reports/999999', { status: 'open' }), {
    status: 404,
    body: { code: 'REPORT_NOT_FOUND' },
  })
  t.match(await asApp('PATCH', '/reports/1', { status: 'lost' }), { status: 400 })
  t.match(await asApp('GET', '/reports?status=lost'), { status: 400 })
  t.equal(await digestOf(folder), before)

  await alice.call('PUT', '/blocks/bob')
  t.match(
    await report(alice, id, { reason: 'threat', comment: '𝄞'.repeat(1000) }),
    { status: 200 },
    'a block',
  )
})

t.test('reports come in pages, the newest first', async (t) => {
  const { asApp, login, list } = await start(t)
  const [alice, bob] = [await login('alice'), await login('bob')]
  const ids: number[] = []
  for (let n = 0; n < 5; n += 1) {
    const { id } = await bob.send('alice', `spam ${n}`)
    ids.push((await report(alice, id)).body.id)
  }
  for (const n of [1, 3]) await asApp('PATCH', `/reports/${ids[n]}`, { status: 'dismissed' })
  const all = async (query: string) => {
    const found: number[] = []
    let before = ''
    for (;;) {
      const page = await list(`?${query}${before}`)
      found.push(...page.reports.map(({ id }) => id))
      if (page.before === undefined) return found
      before = `&before=${page.before}`
    }
  }
  const newest = ids.toReversed()
  for (const limit of [1, 2, 5, 6]) t.strictSame(await all(`limit=${limit}`), newest)
  t.strictSame(await all('limit=2&status=open'), [ids[4], ids[2], ids[0]])
  t.strictSame(await all('limit=1&status=dismissed'), [ids[3], ids[1]])
})

t.test('a page of long reports has at most about 1 MiB', async (t) => {
  const { login, list } = await start(t, { MAX_MESSAGE_LENGTH: '65536' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  for (let n = 0; n < 6; n += 1) await report(alice, (await bob.send('alice', '𝄞'.repeat(65_536))).id)
  const page = await list()
  t.equal(page.reports.length, 4)
  t.equal((await list(`?before=${page.before}`)).reports.length, 2)

  t.test('the comment of the member and the note of the app count', async (t) => {
    const { login, list, asApp } = await start(t, { MAX_MESSAGE_LENGTH: '65536' })
    const [alice, bob] = [await login('alice'), await login('bob')]
    const made: number[] = []
    for (let n = 0; n < 4; n += 1) {
      const { id } = await bob.send('alice', '𝄞'.repeat(65_535))
      made.push((await report(alice, id, { reason: 'spam', comment: '𝄞' })).body.id)
    }
    t.equal((await list()).reports.length, 4)
    await asApp('PATCH', `/reports/${made[0]}`, { status: 'resolved', note: 'x' })
    t.equal((await list()).reports.length, 3)
  })
})

t.test('reports count as changes against the rate limit', async (t) => {
  const { login } = await start(t, { RATE_LIMIT_CHANGES: '6' })
  const alice = await login('alice')
  const { id } = await alice.send('alice', 'note')
  let reply = await report(alice, id)
  for (let n = 0; n < 6; n += 1) reply = await report(alice, id)
  t.match(reply, { status: 429, body: { code: 'RATE_LIMITED' } })
})
