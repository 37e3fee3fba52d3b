import t from 'tap'
import { Webhook as Verifier } from 'standardwebhooks'
import type { RotatedSecret, Webhook, WebhookList, WebhookTest } from '../../schemas/webhook.ts'
import { readMetrics } from '../support/metrics.ts'
import { freePort } from '../support/process.ts'
import { createWebhookApp, RECEIVABLE, startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'

t.test('the app creates, changes, lists and deletes webhooks, and sees a secret once', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const { url } = await startReceiver(t)
  const { secret, ...created } = await app.put('b', { url, types: ['message.created'], description: 'to b' })
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
  t.match(created, {
    name: 'b',
    url,
    types: ['message.created'],
    description: 'to b',
    status: 'active',
    lag: 0,
  })
  const changed = await app.put('b', { url: `${url}/2`, push_after_seconds: 30 })
  t.strictSame(
    { ...changed, lag_seconds: 0 },
    { ...changed, lag_seconds: 0, url: `${url}/2`, push_after_seconds: 30, cursor: created.cursor },
  )
  t.notOk('secret' in changed || 'types' in changed || 'description' in changed)
  await app.put('a', { url })
  const { body } = await app.call<WebhookList>('GET', '/webhooks')
  t.strictSame(
    body.webhooks.map(({ name }) => name),
    ['a', 'b'],
  )
  t.notMatch(JSON.stringify([body, await app.state('b')]), /whsec_/)
  t.equal((await app.call('DELETE', '/webhooks/b')).status, 204)
  for (const [method, path, sent] of [
    ['GET', '', undefined],
    ['DELETE', '', undefined],
    ['POST', '/rotate', undefined],
    ['POST', '/test', undefined],
    ['POST', '/cursor', { cursor: '0' }],
  ] as const)
    t.match(await app.call(method, `/webhooks/b${path}`, sent), {
      status: 404,
      body: { code: 'WEBHOOK_NOT_FOUND' },
    })
})

t.test('an invalid webhook is refused and changes nothing', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const { url } = await startReceiver(t)
  for (const body of [
    { url: 'ftp://app.example/' },
    { url: 'no url' },
    { url: 'https://user@app.example/' },
    { url: 'https://:password@app.example/' },
    { url: 'https://app.example/#here' },
    { url, types: ['message.eaten'] },
    { url, types: [] },
    { url, push_after_seconds: 0 },
  ])
    t.match(await app.call('PUT', '/webhooks/a', body), { status: 400, body: { code: 'VALIDATION_FAILED' } })
  t.match(await app.call('PUT', '/webhooks/a', { url, cursor: 'x' }), { body: { code: 'CURSOR_UNKNOWN' } })
  t.match(await app.call('PUT', '/webhooks/a.b', { url }), { status: 400 })
  const ann = await server.login('ann')
  t.match(await ann.call('PUT', '/webhooks/a', { url }), { status: 403 })
  t.strictSame(await server.rows('select * from webhooks'), [])
})

t.test('there are at most 32 webhooks', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const { url } = await startReceiver(t)
  for (let n = 0; n < 32; n += 1) await app.put(`w${n}`, { url })
  t.match(await app.call('PUT', '/webhooks/more', { url }), {
    status: 409,
    body: { code: 'TOO_MANY_WEBHOOKS' },
  })
  t.match(await app.put('w0', { url, description: 'changed' }), { description: 'changed' })
  await app.call('DELETE', '/webhooks/w1')
  t.match(await app.put('more', { url }), { secret: String })
})

t.test('after a rotation the old secret signs too, until 24 hours are over', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  const { secret } = await app.put('a', { url: receiver.url })
  const rotated = await app.call<RotatedSecret>('POST', '/webhooks/a/rotate')
  const left = Date.parse(rotated.body.previous_valid_until) - Date.now()
  t.ok(left > 23 * 3600e3 && left <= 24 * 3600e3 + 1000)
  await ann.send('ann', 'first')
  const { text, headers } = await receiver.untilRequests(1)
  for (const one of [secret as string, rotated.body.secret])
    t.ok(new Verifier(one).verify(text, headers as Record<string, string>))
  await server.app.database.writer.append('rotateWebhook', { name: 'a', secret: 'whsec_AAAA', keep_ms: 0 })
  await app.call('POST', '/webhooks/a/test')
  t.match(receiver.requests.at(-1)?.headers['webhook-signature'], /^v1,[^ ]+$/)
})

t.test(
  'a moved webhook delivers again what is after the cursor, and drops the batch in flight',
  async (t) => {
    const server = await startServer(t, RECEIVABLE)
    const app = await createWebhookApp(server)
    const receiver = await startReceiver(t)
    const ann = await server.login('ann')
    const { cursor } = await app.put('a', { url: receiver.url })
    await ann.send('ann', 'first')
    await receiver.untilRequests(1)
    await app.untilState('a', ({ lag }) => lag === 0)
    receiver.setAnswer(() => 500)
    await ann.send('ann', 'second')
    const dropped = await receiver.untilRequests(2)
    await app.untilState('a', ({ attempts }) => attempts === 1)
    receiver.setAnswer(() => 204)
    const moved = await app.call<Webhook>('POST', '/webhooks/a/cursor', { cursor })
    t.equal(moved.status, 200)
    const { id, batch } = await receiver.untilRequests(3)
    t.not(id, dropped.id)
    t.equal(batch.previous, cursor)
    t.match(
      batch.events.filter(({ type }) => type === 'message.created'),
      [{ message: { content: 'first' } }, { message: { content: 'second' } }],
    )
    await app.untilState('a', ({ lag }) => lag === 0)
    t.match(await app.call('POST', '/webhooks/a/cursor', { cursor: 'x' }), {
      body: { code: 'CURSOR_UNKNOWN' },
    })
  },
)

t.test('a test request is signed, has no events, and returns how the receiver answered', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const receiver = await startReceiver(t, () => 418)
  const { secret, cursor } = await app.put('a', { url: receiver.url })
  const { body } = await app.call<WebhookTest>('POST', '/webhooks/a/test')
  t.match(body, { status: 418, duration_ms: Number })
  const { text, headers } = await receiver.untilRequests(1)
  t.strictSame(new Verifier(secret as string).verify(text, headers as Record<string, string>), {
    previous: cursor,
    cursor,
    events: [],
  })
  t.match(await app.state('a'), { status: 'active', attempts: 0 }, 'the delivery is not affected')
  await app.put('a', { url: `http://127.0.0.1:${await freePort()}/` })
  t.match((await app.call<WebhookTest>('POST', '/webhooks/a/test')).body, { error: /ECONNREFUSED/ })
})

t.test('at most 32 test requests run at the same time', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const held = Promise.withResolvers<204>()
  const receiver = await startReceiver(t, () => held.promise)
  await app.put('a', { url: receiver.url })
  await app.put('b', { url: receiver.url })
  let refused = 0
  const replies = await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const reply = await app.call<WebhookTest & { code: string }>(
        'POST',
        `/webhooks/${n % 2 ? 'a' : 'b'}/test`,
      )
      if (reply.status !== 200) refused += 1
      // The others are answered only after these were refused.
      if (refused === 68) held.resolve(204)
      return reply
    }),
  )
  const byStatus = Map.groupBy(replies, ({ status }) => status)
  t.strictSame(
    byStatus.get(200)?.map(({ body }) => body.status),
    Array.from({ length: 32 }, () => 204),
  )
  t.match(byStatus.get(429)?.[0]?.body, { code: 'RATE_LIMITED', detail: /^At most 32 tests of webhooks/ })
  t.equal(byStatus.get(429)?.[0]?.headers.get('retry-after'), '5')
  t.equal(byStatus.get(429)?.length, 68)
  t.equal(receiver.requests.length, 32)
  t.match((await app.call<WebhookTest>('POST', '/webhooks/a/test')).body, { status: 204 })
})

t.test('metrics and the log show which webhooks fail', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const lines: [string, object, string][] = []
  for (const level of ['warn', 'info'] as const)
    server.app.log[level] = ((facts: object, text: string) => lines.push([level, facts, text])) as never
  const receiver = await startReceiver(t, () => 500)
  const ann = await server.login('ann')
  await app.put('a', { url: receiver.url })
  await app.put('b', { url: receiver.url, types: ['user.removed'] })
  await ann.send('ann', 'first')
  await receiver.untilRequests(2)
  await app.untilState('a', ({ attempts }) => attempts === 2)
  receiver.setAnswer(() => 204)
  await app.untilState('a', ({ lag }) => lag === 0)
  t.strictSame(lines, [
    [
      'warn',
      { webhook: 'a', error: 'The receiver answered 500.' },
      'A webhook fails. Its batch is sent again until it is answered.',
    ],
    ['info', { webhook: 'a' }, 'The webhook receives events again.'],
  ])
  const metrics = await readMetrics(server.url)
  t.equal(metrics('messenger_webhook_attempts_total{webhook="a",outcome="failed"}'), 2)
  t.equal(metrics('messenger_webhook_attempts_total{webhook="a",outcome="delivered"}'), 1)
  t.equal(metrics('messenger_webhook_failures{webhook="b"}'), 0)
  t.ok(metrics('messenger_webhook_lag_changes{webhook="b"}') >= 0)
  t.ok(metrics('messenger_webhook_lag_seconds{webhook="b"}') >= 0)
  await app.call('DELETE', '/webhooks/a')
  for (;;) {
    const found = await (await fetch(`${server.url}/metrics`)).text()
    if (!found.includes('webhook="a"')) break
  }
})
