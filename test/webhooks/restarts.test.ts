import t from 'tap'
import type { StepDelivery } from '../../db/deliveries.ts'
import { startProcess } from '../support/process.ts'
import { createWebhookApp, RECEIVABLE, type Receiver, startReceiver } from '../support/receiver.ts'
import { login, startServer, temporaryFolder } from '../support/server.ts'
import { only } from '../support/test-database.ts'

const skip = only('postgres', 'several nodes share the database')

/** A server that gives no sign of life for two seconds no longer delivers. */
const ENV = { ...RECEIVABLE, NODE_TIMEOUT_MS: '1000', RATE_LIMIT_SEND: '0' }

const contents = (receiver: Receiver) =>
  receiver
    .events()
    .flatMap((event) =>
      event.type === 'message.created' && 'message' in event ? [event.message.content] : [],
    )

t.test('a batch whose answer a killed server did not get is sent again, the same bytes', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startProcess(t, folder, ENV)
  const app = await createWebhookApp({ folder, url: first.url })
  const receiver = await startReceiver(t, async () => {
    first.child.kill('SIGKILL')
    await first.exited
    return 204
  })
  const ann = await login(t, first.url, 'ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first').catch(() => {})
  await receiver.untilRequests(1)
  receiver.setAnswer(() => 204)
  const { url } = await startProcess(t, folder, ENV)
  const again = await login(t, url, 'ann')
  await again.send('ann', 'second')
  await receiver.until(() => contents(receiver).includes('second'))
  const [one, two, three] = receiver.requests
  t.equal(two?.id, one?.id)
  t.equal(two?.text, one?.text)
  t.equal(three?.batch.previous, two?.batch.cursor)
  t.strictSame(contents(receiver), ['first', 'second'])
})

t.test('another node continues after the node that delivers is killed', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const first = await startProcess(t, folder, ENV)
  const app = await createWebhookApp({ folder, url: first.url })
  const receiver = await startReceiver(t)
  const ann = await login(t, first.url, 'ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  await receiver.untilRequests(1)
  await app.untilState('a', ({ lag }) => lag === 0)
  const second = await startServer(t, { ...ENV, WEBHOOK_ALLOW_PRIVATE: '1' }, folder)
  receiver.setAnswer(async () => {
    first.child.kill('SIGKILL')
    await first.exited
    return 204
  })
  const there = await second.login('ann')
  await there.send('ann', 'second')
  await receiver.untilRequests(2)
  receiver.setAnswer(() => 204)
  await there.send('ann', 'third')
  await receiver.until(() => contents(receiver).includes('third'))
  t.strictSame(contents(receiver), ['first', 'second', 'third'])
  const [, two, three] = receiver.requests
  t.equal(three?.id, two?.id)
  t.equal(three?.text, two?.text)
})

t.test('nodes deliver each batch once, and one continues when another ends', { skip }, async (t) => {
  const folder = await temporaryFolder(t)
  const env = { ...ENV, NODE_TIMEOUT_MS: '600000' }
  const nodes = [await startServer(t, env, folder), await startServer(t, env, folder)] as const
  const app = await createWebhookApp(nodes[1])
  const receiver = await startReceiver(t)
  const ann = await nodes[1].login('ann')
  await app.put('a', { url: receiver.url })
  const names = Array.from({ length: 30 }, (_, n) => `message ${n}`)
  for (const name of names) await ann.send('ann', name)
  await receiver.until(() => contents(receiver).includes('message 29'))
  t.strictSame(contents(receiver), names)
  t.equal(new Set(receiver.requests.map(({ id }) => id)).size, receiver.requests.length)
  await app.untilState('a', ({ lag }) => lag === 0)
  const [{ lease } = {}] = await nodes[0].rows('select lease from webhooks')
  const holder = nodes.find((node) => node.app.chat.server === lease)
  const other = nodes.find((node) => node !== holder) as (typeof nodes)[number]
  await holder?.app.close()
  const there = await other.login('ann')
  await there.send('ann', 'last')
  await receiver.until(() => contents(receiver).includes('last'))
  t.strictSame(contents(receiver), [...names, 'last'])
})

t.test('a node keeps a webhook while it waits after answers 409', { skip }, async (t) => {
  // A lease lasts 200 ms, and the first wait a second.
  const server = await startServer(t, { ...RECEIVABLE, NODE_TIMEOUT_MS: '100' })
  const app = await createWebhookApp(server)
  const kept = Promise.withResolvers<boolean>()
  const steps: ('extension' | 'outcome or batch' | 'request')[] = []
  const { writer } = server.app.database
  const { append } = writer
  writer.append = ((name: 'stepDelivery', input: StepDelivery) => {
    if (name === 'stepDelivery') {
      const step = input.outcome || input.batch ? 'outcome or batch' : 'extension'
      // One extension precedes each request. A second one in a row is part of a wait.
      if (step === 'extension' && steps.at(-1) === 'extension') kept.resolve(true)
      steps.push(step)
    }
    return append(name, input)
  }) as typeof append
  const cursors: string[] = []
  const receiver = await startReceiver(t, ({ batch }) => {
    steps.push('request')
    cursors.push(batch.previous)
    return [409, { cursor: batch.previous === '0' ? cursors[0] : '0' }]
  })
  const ann = await server.login('ann')
  await app.put('a', { url: receiver.url })
  await ann.send('ann', 'first')
  t.ok(await Promise.race([kept.promise, receiver.untilRequests(6).then(() => false)]))
})
