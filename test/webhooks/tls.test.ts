import { setDefaultCACertificates, type TLSSocket } from 'node:tls'
import t from 'tap'
import type { WebhookTest } from '../../schemas/webhook.ts'
import { createAuthority } from '../support/certificates.ts'
import { createWebhookApp, RECEIVABLE, startReceiver } from '../support/receiver.ts'
import { startServer } from '../support/server.ts'

const authority = createAuthority('An authority of this test')
// Each test file is a process of its own.
setDefaultCACertificates([authority.cert])

/** Starts a server for which every name leads to this machine. */
const startLocal = async (t: Parameters<typeof startServer>[0]) => {
  const server = await startServer(t, RECEIVABLE)
  server.app.webhooks.resolve = async () => [{ address: '127.0.0.1', family: 4 }]
  return server
}

t.test('a webhook delivers over TLS to a receiver with a valid certificate for its name', async (t) => {
  const server = await startLocal(t)
  const app = await createWebhookApp(server)
  const names: unknown[] = []
  const receiver = await startReceiver(
    t,
    (_request, { socket }) => {
      names.push((socket as TLSSocket).servername)
      return 204
    },
    authority.issue({ names: ['app.example', '127.0.0.1'] }),
  )
  const ann = await server.login('ann')
  await app.put('a', { url: `https://app.example:${receiver.port}/hook` })
  await ann.send('ann', 'first')
  const { batch } = await receiver.untilRequests(1)
  t.match(batch.events.at(-1), { type: 'message.created', message: { content: 'first' } })
  t.match(await app.untilState('a', ({ lag }) => lag === 0), { status: 'active', attempts: 0 })
  // An absolute name is that of the certificate too. RFC 6066 sends it without its dot, and sends no address.
  for (const host of ['app.example.', '127.0.0.1']) {
    await app.put('b', { url: `https://${host}:${receiver.port}/hook` })
    t.match((await app.call<WebhookTest>('POST', '/webhooks/b/test')).body, { status: 204 })
  }
  t.strictSame(names, ['app.example', 'app.example', false])
})

const unknown = createAuthority('An unknown authority')
const refused = [
  [
    'is for another name',
    authority.issue({ names: ['other.example', '127.0.0.2'] }),
    "Hostname/IP does not match certificate's altnames: Host: app.example. is not in the cert's altnames: DNS:other.example, IP Address:127.0.0.2",
    "Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: 127.0.0.2",
  ],
  [
    'has expired',
    authority.issue({ names: ['app.example', '127.0.0.1'], until: new Date('2021-01-01') }),
    'certificate has expired',
  ],
  [
    'is of an unknown authority',
    unknown.issue({ names: ['app.example', '127.0.0.1'] }),
    'unable to verify the first certificate',
  ],
] as const
for (const [what, certificate, error, errorOfAddress = error] of refused) {
  t.test(`a receiver whose certificate ${what} gets no request, and the state says why`, async (t) => {
    const server = await startLocal(t)
    const app = await createWebhookApp(server)
    const receiver = await startReceiver(t, undefined, certificate)
    const ann = await server.login('ann')
    await app.put('name', { url: `https://app.example:${receiver.port}/hook` })
    await app.put('address', { url: receiver.url })
    await ann.send('ann', 'first')
    for (const [name, last_error] of Object.entries({ name: error, address: errorOfAddress }))
      t.match(await app.untilState(name, ({ attempts }) => attempts > 0), { status: 'failing', last_error })
    t.strictSame(receiver.requests, [])
  })
}
