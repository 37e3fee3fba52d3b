import plugin from 'fastify-plugin'
import type { Database } from '../db/database.ts'
import { openDatabase } from '../db/open.ts'

/** Opens the database before the other plugins and closes it after them. */
export const database = plugin(
  async (app) => {
    const opened = await openDatabase(app.config.DATABASE_URL, {
      maxQueue: app.config.MAX_QUEUE,
      connections: app.config.DATABASE_CONNECTIONS,
      nodeTimeoutMs: app.config.NODE_TIMEOUT_MS,
      report: (error) => app.log.error({ err: error }, 'A listener of the writer failed.'),
    })
    app.decorate('database', opened)
    app.addHook('onClose', () => opened.close())
  },
  { name: 'database' },
)

declare module 'fastify' {
  interface FastifyInstance {
    database: Database
  }
}
