import { once } from 'node:events'
import t from 'tap'
import { dial, rawRequest, replies } from '../support/raw.ts'
import { startServer } from '../support/server.ts'
import { headOf, nextWait } from '../support/stream.ts'

t.test('a request that completes during the stop is refused and its connection is closed', async (t) => {
  const { app, url } = await startServer(t)
  const connection = await dial(t, url)
  const arrived = once(app.server, 'connection')
  const other = await dial(t, url)
  await arrived
  connection.write('GET /health/live HTTP/1.1\r\nHost: x\r\n')
  // The reply on the other connection shows that the server has read the earlier bytes.
  other.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await other.until((bytes) => bytes.length > 0)
  const closed = app.close()
  connection.write('\r\n')
  t.match(replies(await connection.closed), [{ status: 503, body: { code: 'SHUTTING_DOWN', status: 503 } }])
  await closed
})

t.test('a request that arrived before the stop and was not read yet gets a response', async (t) => {
  const { app, url } = await startServer(t)
  const connection = await dial(t, url)
  connection.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await connection.until((bytes) => bytes.length > 0)
  const read = (await connection.until(() => true)).length
  connection.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  const closed = app.close()
  const all = await connection.closed
  t.match(replies(all.subarray(read)), [{ status: 503, body: { code: 'SHUTTING_DOWN' } }])
  await closed
})

t.test('a request that began before the stop is answered and its connection is closed', async (t) => {
  const server = await startServer(t)
  const alice = await server.login('alice')
  const path = `/sync?wait=30&cursor=${await headOf(alice)}`
  const isWaiting = nextWait(server)
  const connection = await dial(t, server.url)
  connection.write(rawRequest('GET', path, alice.token))
  await isWaiting
  const closed = server.app.close()
  const [reply] = replies(await connection.closed)
  t.match(reply, { status: 200, body: { events: [] } })
  t.equal(reply?.headers.get('connection'), 'close')
  await closed
})

t.test('a client that still sends a body above the limit during the stop gets its 413', async (t) => {
  const { app, url } = await startServer(t)
  const connection = await dial(t, url)
  const arrived = once(app.server, 'request')
  connection.write(
    'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  await arrived
  const closed = app.close()
  const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
  for (let n = 0; n < 64; n += 1) connection.write(chunk)
  connection.write('0\r\n\r\n')
  const [reply] = replies(await connection.until((bytes) => bytes.includes('PAYLOAD_TOO_LARGE')))
  t.equal(reply?.status, 413)
  t.equal(reply?.headers.get('connection'), null, 'a close could reset the connection before it is read')
  connection.socket.end()
  await closed
})
