import { once } from 'node:events'
import t from 'tap'
import { dial, replies } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

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
