import plugin from 'fastify-plugin'
import type { Batch } from '../db/writer.ts'
import type { Origin } from '../src/bus/bus.ts'
import { createBus } from '../src/bus/create-bus.ts'
import { type Chat, createChat } from '../src/chat/context.ts'
import { asAppError, type Report } from '../src/chat/failures.ts'
import { internal } from '../src/errors.ts'

/** Decorates `app.chat`, which every use case takes, and publishes each commit on the bus. */
export const chat = plugin(
  async (app) => {
    const bus = createBus(app.database.cluster, (error) =>
      app.log.error({ err: error }, 'A bus subscriber failed.'),
    )
    const report: Report = (error, user_id) =>
      app.problems.note(asAppError(error) ?? internal(error), { user_id })
    const context = createChat(app.config, app.database, bus, report)
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
    app.addHook('onReady', async () => {
      bus.join()
      void context.removalSteps.resume()
      context.receiptSweep.start()
    })
    app.addHook('preClose', async () => {
      context.removalSteps.stop()
      context.receiptSweep.stop()
      context.feedWaits.stop()
      context.load.stop()
    })
  },
  { name: 'chat', dependencies: ['problems', 'database'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    chat: Chat
  }
}
