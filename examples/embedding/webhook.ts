import type { FastifyInstance } from 'fastify'
import { Webhook } from 'standardwebhooks'
import { db, getSetting, setSetting } from './database.ts'
import { asApp } from './as-app.ts'
import { moderate } from './moderation.ts'
import { appUrl, pushAfter } from './settings.ts'

type Message = { id: number; conversation_id: number; sender: string; content: string }
type Event =
  | { type: 'message.created' | 'message.updated' | 'message.deleted'; message: Message }
  | { type: 'report.created' }
  | { type: 'unread.pending'; user: { username: string }; unread_count: number; newest: Message }
type Batch = { previous: string; cursor: string; events: Event[] }

/** Receives what happened in the chat. */
export const webhook = async (app: FastifyInstance) => {
  // The signature covers the bytes of the body.
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => done(null, body))

  app.post<{ Body: string }>('/webhook', (request, reply) => {
    const headers = request.headers as Record<string, string>
    const batch = new Webhook(getSetting('webhook-secret') as string).verify(request.body, headers) as Batch
    const stored = apply.immediate(batch, headers['webhook-id'] as string)
    if (batch.events.some(({ type }) => type === 'report.created')) void moderate().catch(console.error)
    return stored === undefined ? reply.code(204).send() : reply.code(409).send({ cursor: stored })
  })
}

/**
 * Stores the effects and the cursor in one transaction, or neither.
 * @returns the cursor from which the server must continue, if the batch does not begin there
 */
const apply = db.transaction(({ previous, cursor, events }: Batch, id: string): string | undefined => {
  const stored = getSetting('cursor') ?? '0'
  if (previous !== stored) return stored
  for (const event of events) {
    if (event.type === 'unread.pending') push(event, id)
    else if (event.type === 'message.created') insert.run(event.message)
    else if (event.type !== 'report.created') update.run(event.message)
  }
  setSetting('cursor', cursor)
  return undefined
})

const insert = db.prepare('insert into messages values (@id, @conversation_id, @sender, @content)')
const update = db.prepare('update messages set content = @content where id = @id')
const remember = db.prepare('insert or ignore into pushes values (?)')

/** A real app calls APNs or FCM. A push has no cursor: the id of its batch tells a repeat. */
const push = ({ user, unread_count, newest }: Extract<Event, { type: 'unread.pending' }>, id: string) => {
  if (remember.run(`${id} ${user.username} ${newest.id}`).changes === 0) return
  console.log(`push to ${user.username}: ${unread_count} unread, the newest: ${newest.content}`)
}

const types = ['message.created', 'message.updated', 'message.deleted', 'report.created', 'unread.pending']

/** Asks the server for everything since the beginning. The call may be repeated, and makes the next attempt due at once. */
export const connectWebhook = async () => {
  const body = { url: `${appUrl}/webhook`, types, push_after_seconds: pushAfter, cursor: '0' }
  const { secret } = await asApp<{ secret?: string }>('PUT', '/webhooks/shop', body)
  if (secret) setSetting('webhook-secret', secret)
  // The app ended after the server had created the secret, and before it was stored.
  else if (!getSetting('webhook-secret'))
    setSetting('webhook-secret', (await asApp<{ secret: string }>('POST', '/webhooks/shop/rotate')).secret)
}
