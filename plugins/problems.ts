import type { FastifyError } from 'fastify'
import plugin from 'fastify-plugin'
import { createProblemLog, type ProblemLog } from '../src/http/problem-log.ts'
import { replyWithProblem } from '../src/http/problem-replies.ts'

/** Answers every error with a problem (RFC 9457), counts it, and logs what the operator has to know. */
export const problems = plugin(
  async (app) => {
    const log = createProblemLog(app.log)
    app.decorate('problems', log)
    app.addHook('onClose', async () => log.stop())
    app.setErrorHandler<FastifyError>(replyWithProblem)
  },
  { name: 'problems' },
)

declare module 'fastify' {
  interface FastifyInstance {
    problems: ProblemLog
  }
}
