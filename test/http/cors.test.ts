import t from 'tap'
import { openApi } from '../support/documents.ts'
import { startServer } from '../support/server.ts'

const CORS_ORIGINS = 'https://app.example, https://other.example:8443'
const origin = 'https://app.example'
const wanted = ['authorization', 'content-type', 'idempotency-key']

t.test('a page of a listed origin can call every operation', async (t) => {
  const { url } = await startServer(t, { CORS_ORIGINS })
  for (const [template, operations] of Object.entries(openApi.paths)) {
    for (const method of Object.keys(operations)) {
      const reply = await fetch(url + template.replaceAll(/\{\w+\}/g, '1'), {
        method: 'OPTIONS',
        headers: {
          origin,
          'access-control-request-method': method.toUpperCase(),
          'access-control-request-headers': wanted.join(','),
        },
      })
      const listed = (name: string) => (reply.headers.get(name) ?? '').split(/, ?/)
      const call = `${method.toUpperCase()} ${template}`
      t.equal(reply.status, 204, call)
      t.equal(reply.headers.get('access-control-allow-origin'), origin, call)
      t.ok(listed('access-control-allow-methods').includes(method.toUpperCase()), call)
      t.strictSame(listed('access-control-allow-headers'), wanted, call)
    }
  }
})

t.test('a call from a listed origin gets the normal response and can read the custom headers', async (t) => {
  const { call, login } = await startServer(t, { CORS_ORIGINS })
  const alice = await login('alice')
  const { body: sent } = await alice.call<{ id: number }>('POST', '/send', {
    receiver_username: 'alice',
    content: 'a',
  })
  const edited = await alice.call('PATCH', `/messages/${sent.id}`, { content: 'b' }, { origin })
  t.equal(edited.status, 200)
  t.equal(edited.headers.get('access-control-allow-origin'), origin)
  t.match(
    edited.headers.get('access-control-expose-headers'),
    /Link.*Has-Older.*Has-Newer.*Idempotent-Replayed.*Retry-After/,
  )
  const elsewhere = await call('GET', '/health/live', { headers: { origin: 'https://else.example' } })
  t.equal(elsewhere.headers.get('access-control-allow-origin'), null)
})

t.test('a preflight of another origin allows nothing', async (t) => {
  const { url } = await startServer(t, { CORS_ORIGINS })
  const headers = { origin: 'https://else.example', 'access-control-request-method': 'POST' }
  const reply = await fetch(`${url}/send`, { method: 'OPTIONS', headers })
  t.equal(reply.headers.get('access-control-allow-origin'), null)
})

t.test('an OPTIONS request that is not a preflight is refused with a problem', async (t) => {
  for (const env of [{ CORS_ORIGINS }, {}] as Record<string, string>[]) {
    const { call } = await startServer(t, env)
    for (const headers of [{}, { origin }] as Record<string, string>[]) {
      const known = await call('OPTIONS', '/send', { headers })
      t.match(known, { status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
      t.equal(known.headers.get('allow'), 'POST')
      t.match(await call('OPTIONS', '/nowhere', { headers }), {
        status: 404,
        body: { code: 'ROUTE_NOT_FOUND' },
      })
    }
  }
})
