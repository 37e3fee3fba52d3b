import t from 'tap'
import { startServer } from '../support/server.ts'

const path = '/docs/reference.css'

t.test('a file is compressed only for a client that accepts gzip', async (t) => {
  const { app } = await startServer(t)
  const { body } = await app.inject(path)
  for (const [header, encoding] of [
    ['gzip', 'gzip'],
    ['GZip', 'gzip'],
    ['br;q=1.0, gzip;q=0.8', 'gzip'],
    ['deflate , gzip ; q=0.001', 'gzip'],
    ['*', 'gzip'],
    ['identity;q=0, *;q=0.5', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip ; Q=0.000, br', undefined],
    ['gzip;q=0, *', undefined],
    ['*;q=0', undefined],
    ['x-gzip', undefined],
    ['gzip;q=none', undefined],
    ['identity', undefined],
    ['', undefined],
  ] as const) {
    const reply = await app.inject({ path, headers: { 'accept-encoding': header } })
    t.match(
      reply,
      { statusCode: 200, headers: { 'content-encoding': encoding, vary: 'Accept-Encoding' } },
      header,
    )
    if (encoding === undefined) t.equal(reply.body, body)
  }
})

t.test('a file is not sent again to a client that has this version among others', async (t) => {
  const { app } = await startServer(t)
  const etag = String((await app.inject(path)).headers.etag)
  const strong = etag.replace('W/', '')
  for (const [header, status] of [
    [etag, 304],
    [strong, 304],
    [`"other", ${etag}`, 304],
    [`W/"a, b" , ${strong},W/"other"`, 304],
    [' * ', 304],
    ['"other"', 200],
    ['"*"', 200],
    [strong.replaceAll('"', ''), 200],
    [`"${etag}"`, 200],
    ['', 200],
  ] as const) {
    const reply = await app.inject({ path, headers: { 'if-none-match': header } })
    t.match(reply, { statusCode: status, headers: { etag, 'cache-control': 'no-cache' } }, header)
    if (status === 304) t.equal(reply.body, '')
  }
})
