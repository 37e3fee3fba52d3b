import plugin from 'fastify-plugin'
import { asAppError, type Report } from '../src/chat/failures.ts'
import { internal } from '../src/errors.ts'
import { createWebhooks, type Webhooks } from '../src/webhooks/engine.ts'

/** Decorates `webhooks`, and delivers them until the server stops. */
export const webhooks = plugin(
  async (app) => {
    /* c8 ignore next -- what fails here is storage, whose errors are AppErrors to clients */
    const report: Report = (error) => app.problems.note(asAppError(error) ?? internal(error), {})
    const engine = createWebhooks(app.chat, app.database.cluster === undefined, app.log, report)
    app.decorate('webhooks', engine)
    app.addHook('onReady', async () => engine.start())
    app.addHook('preClose', () => engine.stop())
  },
  { name: 'webhooks', dependencies: ['problems', 'database', 'chat'] },
)

declare module 'fastify' {
  interface FastifyInstance {
    webhooks: Webhooks
  }
}
