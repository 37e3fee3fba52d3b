import plugin from 'fastify-plugin'
import type { Batch } from '../db/writer.ts'
import { type Chat, createChat } from '../src/chat/context.ts'
import type { Origin } from '../src/bus/bus.ts'
import { createMemoryBus } from '../src/bus/memory.ts'

/** What the use cases work with, and the way from a commit to everybody's sockets. */
export const realtime = plugin(
  async (app) => {
    const bus = createMemoryBus((error) => app.log.error({ err: error }, 'fan-out failed'))
    const chat = createChat(app.config, app.database, bus)
    app.database.writer.onCommit((batch) => {
      try {
        chat.recent.take(batch)
        chat.activity.take(batch)
      } catch (error) {
        chat.recent.forget()
        chat.activity.forget()
        app.log.error({ err: error }, 'A commit could not be kept in memory. Reads go to the database.')
      }
      bus.publish(batch as Batch<Origin>)
    })
    app.decorate('chat', chat)
    app.addHook('onReady', async () => void chat.departures.resume())
    app.addHook('preClose', async () => {
      chat.departures.stop()
      chat.receiptPacing.stop()
      chat.load.stop()
    })
  },
  { name: 'realtime', dependencies: ['database'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    chat: Chat
  }
}
