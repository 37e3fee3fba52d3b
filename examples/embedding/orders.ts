import type { FastifyInstance } from 'fastify'
import { db } from './database.ts'
import { asApp } from './as-app.ts'
import { type User, userOf } from './sessions.ts'
import { appUrl } from './settings.ts'

const schema = {
  body: { type: 'object', required: ['item'], properties: { item: { type: 'string' } } },
}

/** The app's orders. Each has a chat of its own. */
export const orders = async (app: FastifyInstance) => {
  app.post<{ Body: { item: string } }>('/orders', { schema }, async ({ cookies, body }) => {
    const customer = userOf({ cookies })
    const insert = db.prepare('insert into orders (customer, item) values (?, ?)')
    const { lastInsertRowid } = insert.run(customer.username, body.item)
    return {
      order: Number(lastInsertRowid),
      conversation_id: await openChat(Number(lastInsertRowid), customer),
    }
  })
}

/** Every call may be repeated: an app that fails in between runs this again, and nothing exists twice. */
const openChat = async (order: number, { username, name }: User) => {
  // The customer may never have opened the chat. The account belongs to the tokens of this app.
  await asApp('PUT', `/users/${encodeURIComponent(username)}`, { display_name: name, issuer: appUrl })
  const group = await asApp<{ id: number }>('PUT', `/groups/by-key/order-${order}`, {
    title: `Order ${order}`,
    members: [username, 'shop'],
  })
  const welcome = {
    conversation_id: group.id,
    content: 'Thank you for your order.',
    client_id: `order-${order}-welcome`,
  }
  await asApp('POST', '/send', welcome, 'shop')
  return group.id
}
