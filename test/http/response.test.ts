import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { Response } from '../../src/http/response.ts'

/** @returns the bytes of the response body that `answer` produces. */
const bytesOf = async (answer: (reply: ServerResponse) => void) => {
  const server = createServer({ ServerResponse: Response }, (_, reply) => answer(reply)).listen(
    0,
    '127.0.0.1',
  )
  await once(server, 'listening')
  const reply = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const body = Buffer.from(await reply.arrayBuffer())
  server.close()
  return { body, length: reply.headers.get('content-length') }
}

t.test('a text body is sent as UTF-8', async (t) => {
  for (const text of [
    '',
    'plain',
    'é',
    'naïve',
    '汉字',
    '\u{1f600}',
    '\ud800',
    '\u0000',
    'x'.repeat(50_000),
    'é'.repeat(50_000),
  ]) {
    const expected = Buffer.from(text)
    const { body, length } = await bytesOf((reply) => reply.end(text))
    t.ok(body.equals(expected), `${text.length} of ${text.slice(0, 5)}`)
    t.equal(length, String(expected.length))
  }
})

t.test('a body that is not text, is already encoded or is streamed is unchanged', async (t) => {
  let ended = 0
  const count = () => (ended += 1)
  t.strictSame((await bytesOf((reply) => reply.end(Buffer.from([0xff, 0])))).body, Buffer.from([0xff, 0]))
  t.strictSame((await bytesOf((reply) => reply.end('ff00', 'hex', count))).body, Buffer.from([0xff, 0]))
  t.strictSame((await bytesOf((reply) => reply.end('text', count))).body, Buffer.from('text'))
  t.strictSame((await bytesOf((reply) => reply.end(count))).body, Buffer.from(''))
  t.strictSame(
    (
      await bytesOf((reply) => {
        reply.write('é')
        reply.end('e')
      })
    ).body,
    Buffer.from('ée'),
  )
  t.equal(ended, 3, 'each end callback runs')
})
