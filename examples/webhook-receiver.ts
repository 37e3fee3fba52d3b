// Stores each message exactly once: WEBHOOK_SECRET=whsec_… node examples/webhook-receiver.ts
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import Sqlite from 'better-sqlite3'
import { Webhook } from 'standardwebhooks'

type Message = { id: number; sender: string; content: string }
type Batch = { previous: string; cursor: string; events: { type: string; message: Message }[] }

const { WEBHOOK_SECRET = '', PORT = '8081' } = process.env
const webhook = new Webhook(WEBHOOK_SECRET)
const db = new Sqlite('receiver.db')
db.exec(`
  create table if not exists messages (id integer primary key, sender text, content text);
  create table if not exists place (id integer primary key, cursor text);
  insert or ignore into place values (1, '0')
`)
const insert = db.prepare('insert into messages values (@id, @sender, @content)')

/** One transaction: the effects of a batch are stored with its cursor, or neither is. */
const apply = db.transaction(({ previous, cursor, events }: Batch) => {
  const stored = db.prepare('select cursor from place').pluck().get()
  // The batch was applied before, or this database was restored from a backup. The server continues here.
  if (previous !== stored) return { status: 409, body: JSON.stringify({ cursor: stored }) }
  for (const { type, message } of events) if (type === 'message.created') insert.run(message)
  db.prepare('update place set cursor = ?').run(cursor)
  return { status: 204, body: '' }
})

const receive = async (request: IncomingMessage) => {
  const headers = request.headers as Record<string, string>
  return apply.immediate(webhook.verify(await text(request), headers) as Batch)
}

createServer((request, response) => {
  receive(request).then(
    ({ status, body }) => response.writeHead(status).end(body),
    (error: Error) => response.writeHead(400).end(error.message),
  )
}).listen(Number(PORT), () => console.log(`listening on port ${PORT}`))
