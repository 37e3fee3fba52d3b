import plugin from 'fastify-plugin'
import type { Batch } from '../db/writer.ts'
import type { Origin } from '../src/bus/bus.ts'
import { createMemoryBus } from '../src/bus/memory.ts'
import { type Chat, createChat } from '../src/chat/context.ts'

/** Decorates `app.chat`, which every use case takes, and publishes each commit on the bus. */
export const chat = plugin(
  async (app) => {
    const bus = createMemoryBus((error) => app.log.error({ err: error }, 'A bus subscriber failed.'))
    const context = createChat(app.config, app.database, bus)
    app.database.writer.on('commit', (batch) => {
      try {
        context.recent.take(batch)
        context.activity.take(batch)
      } catch (error) {
        context.recent.forget()
        context.activity.forget()
        app.log.error(
          { err: error },
          'The caches could not take a commit. Reads use the database until they refill.',
        )
      }
      bus.publish(batch as Batch<Origin>)
    })
    app.decorate('chat', context)
    app.addHook('onReady', async () => void context.removalSteps.resume())
    app.addHook('preClose', async () => {
      context.removalSteps.stop()
      context.receiptPacing.stop()
      context.load.stop()
    })
  },
  { name: 'chat', dependencies: ['database'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    chat: Chat
  }
}
