/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { createServer } from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { CONTENT, nameOf } from '../load/identity.ts'

/** Bare ws: echoes each frame or, with BROADCAST, sends a frame as long as the product's to all other sockets. */
const asText = { binary: false }
const broadcast = Buffer.from(
  JSON.stringify({
    type: 'message',
    cursor: 'AbCdEfGh.123456',
    id: 123_456,
    conversation_id: 1,
    sender: nameOf(0),
    sender_id: 1,
    content: CONTENT,
    timestamp: new Date().toISOString(),
    receiver: nameOf(1),
    receiver_id: 2,
  }),
)

const server = createServer()
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: 65_536,
})
const all = new Set<WebSocket>()
const isBroadcast = process.env.BROADCAST === '1'
sockets.on('connection', (socket) => {
  if (isBroadcast) all.add(socket)
  socket.on('message', (data) => {
    if (!isBroadcast) socket.send(data, asText)
    else for (const other of all) if (other !== socket) other.send(broadcast, asText)
  })
})
server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening on 127.0.0.1'))
