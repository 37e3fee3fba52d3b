import { once } from 'node:events'
import t from 'tap'
import { openRaw, readReply } from './support/raw.ts'
import { startServer } from './support/server.ts'

t.test('a request that ends while the server stops is refused, and its connection closed', async (t) => {
  const { app, url } = await startServer(t)
  const socket = await openRaw(t, url)
  const arrived = once(app.server, 'connection')
  const other = await openRaw(t, url)
  await arrived
  socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n')
  // What was written before is there when another connection has had its answer.
  other.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  await once(other, 'data')
  const closed = app.close()
  const reply = readReply(socket)
  socket.write('\r\n')
  t.match(await reply, { status: 503, body: { code: 'SHUTTING_DOWN', status: 503 } })
  await closed
})
