import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { type Address, addressesOf, checkUrl, systemResolver } from '../../src/webhooks/addresses.ts'
import type { WebhookTest } from '../../schemas/webhook.ts'
import { createWebhookApp, RECEIVABLE, startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'

/** Addresses that lead to no public host, in every form that a URL or a name server can give. */
const PRIVATE = [
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '192.0.2.1',
  '192.168.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::7f00:1',
  '100::1',
  '2001:0:7f00:1::',
  '2001:db8::1',
  '2002:7f00:1::',
  'fc00::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
]

const isIPv6 = (address: string) => address.includes(':')
const found = (...all: string[]): Address[] =>
  all.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))

t.test('a URL that leads to an address that is not public is refused', async (t) => {
  for (const address of PRIVATE) {
    const host = isIPv6(address) ? `[${address}]` : address
    t.throws(() => checkUrl(`https://${host}/`, false), { code: 'VALIDATION_FAILED' }, address)
    const url = new URL(`https://${host}:8443/`)
    await t.rejects(addressesOf(url, false, systemResolver), { message: /is not a public address/ }, address)
  }
  // Other notations of 127.0.0.1.
  for (const host of [
    '2130706433',
    '0x7f000001',
    '017700000001',
    '127.1',
    '0x7f.0.0.1',
    '127.0.0.1.',
    '①②⑦.0.0.1',
  ])
    t.throws(() => checkUrl(`https://${host}/`, false), { code: 'VALIDATION_FAILED' }, host)
  t.throws(() => checkUrl('http://app.example/', false), { code: 'VALIDATION_FAILED' })
  for (const url of ['https://app.example/', 'https://8.8.8.8:8443/', 'https://[2606:4700::1111]/'])
    t.equal(checkUrl(url, false), url)
})

t.test('a name is refused if one of its addresses is not public', async (t) => {
  const url = new URL('https://app.example./hook')
  for (const address of PRIVATE)
    await t.rejects(
      addressesOf(url, false, async (name) => {
        t.equal(name, 'app.example')
        return found('8.8.8.8', address)
      }),
      { message: /^app\.example is not a public address/ },
      address,
    )
  const both = found('8.8.8.8', '2606:4700::1111')
  t.strictSame(await addressesOf(url, false, async () => both), both)
  for (const host of ['localhost', 'localhost.'])
    await t.rejects(
      addressesOf(new URL(`https://${host}/`), false, systemResolver),
      { message: /localhost/ },
      host,
    )
  t.ok((await addressesOf(new URL('https://localhost/'), true, systemResolver)).length > 0)
})

t.test(
  'a request goes to the addresses that were checked, whatever the name resolves to later',
  async (t) => {
    const server = await startServer(t, RECEIVABLE)
    const app = await createWebhookApp(server)
    const receiver = await startReceiver(t)
    const names: string[] = []
    server.app.webhooks.resolve = async (name) => {
      names.push(name)
      // A name server that answers the second question differently.
      return found(names.length === 1 ? '127.0.0.1' : '192.0.2.1')
    }
    await app.put('a', { url: `http://app.example:${receiver.port}/hook` })
    t.match((await app.call<WebhookTest>('POST', '/webhooks/a/test')).body, { status: 204 })
    t.strictSame(names, ['app.example'])
    t.equal(receiver.requests[0]?.headers.host, `app.example:${receiver.port}`)
  },
)

t.test('a webhook at a name with a private address gets no request, and its state says why', async (t) => {
  let connections = 0
  const target = createServer()
    .listen(0, '127.0.0.1')
    .on('connection', () => (connections += 1))
  t.teardown(() => target.close())
  const server = await startServer(t)
  const app = await createWebhookApp(server)
  server.app.webhooks.resolve = async () => found('127.0.0.1')
  await app.put('a', { url: `https://app.example:${(target.address() as AddressInfo).port}/` })
  const ann = await server.login('ann')
  await ann.send('ann', 'first')
  t.match(await app.untilState('a', ({ attempts }) => attempts > 0), {
    last_error: /^app\.example is not a public address\. WEBHOOK_ALLOW_PRIVATE=1 allows/,
  })
  server.app.webhooks.resolve = async () => {
    throw new Error('getaddrinfo ENOTFOUND app.example')
  }
  t.match((await app.call<WebhookTest>('POST', '/webhooks/a/test')).body, { error: /ENOTFOUND/ })
  t.equal(connections, 0)
})
