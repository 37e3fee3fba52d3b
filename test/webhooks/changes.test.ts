import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { StepDelivery } from '../../db/deliveries.ts'
import { readMetrics } from '../support/metrics.ts'
import { createWebhookApp, RECEIVABLE, startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'
import { only } from '../support/test-database.ts'

/** Starts a receiver that does not answer. @returns it, and what resolves when the connection of its first request is closed */
const startSilent = async (t: Test) => {
  const { promise: closed, resolve } = Promise.withResolvers<unknown>()
  const receiver = await startReceiver(t, (_request, response) => resolve(once(response, 'close')))
  return { receiver, closed }
}

t.test('a change of the URL ends the attempt under way, which is no failure', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const warnings: unknown[] = []
  server.app.log.warn = (facts: object) => void warnings.push(facts)
  const { receiver: old, closed } = await startSilent(t)
  const receiver = await startReceiver(t)
  const ann = await server.login('ann')
  await app.put('a', { url: old.url })
  await ann.send('ann', 'first')
  const { id, text } = await old.untilRequests(1)
  await app.put('a', { url: receiver.url })
  await closed
  const again = await receiver.untilRequests(1)
  t.strictSame([again.id, again.text], [id, text])
  const state = await app.untilState('a', ({ lag }) => lag === 0)
  t.match(state, { status: 'active', attempts: 0 })
  t.notOk('last_error' in state)
  t.strictSame(warnings, [])
  const metrics = await readMetrics(server.url)
  t.equal(metrics('messenger_webhook_attempts_total{webhook="a",outcome="failed"}'), 0)
  t.equal(metrics('messenger_webhook_attempts_total{webhook="a",outcome="delivered"}'), 1)
  t.equal(old.requests.length, 1)
})

t.test('a move and a deletion of a webhook end the attempt under way', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const ann = await server.login('ann')
  const moved = await startSilent(t)
  const deleted = await startSilent(t)
  await app.put('moved', { url: moved.receiver.url })
  await app.put('deleted', { url: deleted.receiver.url })
  await ann.send('ann', 'first')
  await moved.receiver.untilRequests(1)
  await deleted.receiver.untilRequests(1)
  moved.receiver.setAnswer(() => 204)
  await app.call('POST', '/webhooks/moved/cursor', { cursor: '0' })
  await moved.closed
  t.equal((await moved.receiver.untilRequests(2)).batch.previous, '0')
  t.match(await app.untilState('moved', ({ lag }) => lag === 0), { status: 'active', attempts: 0 })
  await app.call('DELETE', '/webhooks/deleted')
  await deleted.closed
  t.equal(deleted.receiver.requests.length, 1)
})

t.test('a rotation, a test and a change of another webhook do not end an attempt', async (t) => {
  const server = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(server)
  const ann = await server.login('ann')
  const held = Promise.withResolvers<204>()
  const first = Promise.withResolvers<void>()
  const receiver = await startReceiver(t, ({ batch }) => {
    if (batch.events.length === 0) return 204
    first.resolve()
    return held.promise
  })
  const other = await startReceiver(t)
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  await first.promise
  await app.call('POST', '/webhooks/a/rotate')
  await app.call('POST', '/webhooks/a/test')
  await app.put('other', { url: other.url, cursor: '0' })
  await app.put('other', { url: other.url, description: 'changed' })
  await app.untilState('other', ({ lag }) => lag === 0)
  held.resolve(204)
  await app.untilState('a', ({ lag }) => lag === 0)
  t.equal(receiver.requests.filter(({ batch }) => batch.events.length > 0).length, 1)
})

t.test('a server that stops ends the attempt under way, and the next server repeats it', async (t) => {
  const first = await startServer(t, RECEIVABLE)
  const app = await createWebhookApp(first)
  const { receiver, closed } = await startSilent(t)
  const ann = await first.login('ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  const { id, text } = await receiver.untilRequests(1)
  await first.app.close()
  await closed
  t.strictSame(await first.rows('select attempts, last_error from webhooks'), [
    { attempts: 0, last_error: null },
  ])
  receiver.setAnswer(() => 204)
  await startServer(t, RECEIVABLE, first.folder)
  const again = await receiver.untilRequests(2)
  t.strictSame([again.id, again.text], [id, text])
})

t.test(
  'a change on another node ends the attempt under way',
  { skip: only('postgres', 'several nodes share the database') },
  async (t) => {
    const first = await startServer(t, RECEIVABLE)
    const { receiver: old, closed } = await startSilent(t)
    const receiver = await startReceiver(t)
    const app = await createWebhookApp(first)
    const ann = await first.login('ann')
    await app.put('a', { url: old.url })
    await ann.send('ann', 'first')
    const { id } = await old.untilRequests(1)
    const second = await startServer(t, RECEIVABLE, first.folder)
    await second.call('PUT', '/webhooks/a', { token: app.key, body: { url: receiver.url } })
    await closed
    t.equal((await receiver.untilRequests(1)).id, id)
    t.match(await app.untilState('a', ({ lag }) => lag === 0), { status: 'active', attempts: 0 })
  },
)

const changed = [
  ['before the lease is extended', true],
  ['after the lease is extended', false],
] as const
for (const [when, isBefore] of changed) {
  t.test(
    `a webhook that another node changes ${when} is delivered at the new URL only`,
    { skip: only('postgres', 'several nodes share the database') },
    async (t) => {
      // A lease of two seconds is extended before each attempt.
      const server = await startServer(t, { ...RECEIVABLE, NODE_TIMEOUT_MS: '1000' })
      const app = await createWebhookApp(server)
      const [old, receiver] = [await startReceiver(t), await startReceiver(t)]
      const ann = await server.login('ann')
      await app.put('a', { url: old.url })
      const { writer } = server.app.database
      const { append } = writer
      /** Changes the webhook as another node does: this node is not notified. */
      const change = () =>
        append('putWebhook', {
          name: 'a',
          url: receiver.url,
          types: null,
          description: null,
          push_after: null,
          secret: '',
          cursor: '',
          position: 0,
        })
      let isChanged = false
      writer.append = (async (name: 'stepDelivery', input: StepDelivery, ...rest: []) => {
        const isExtension = name === 'stepDelivery' && !input.outcome && !input.batch
        if (!isExtension || isChanged) return append(name, input, ...rest)
        isChanged = true
        if (isBefore) await change()
        const row = await append(name, input)
        if (!isBefore) await change()
        return row
      }) as typeof append
      await ann.send('ann', 'first')
      await receiver.untilRequests(1)
      await app.untilState('a', ({ lag }) => lag === 0)
      t.strictSame(old.requests, [])
      t.equal(receiver.requests.length, 1)
    },
  )
}
