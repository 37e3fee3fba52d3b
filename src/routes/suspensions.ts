import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { NoContent, ref, UsernameParams } from '../../schemas/common.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { Suspension, SuspensionRequest } from '../../schemas/suspension.ts'
import { endSuspension, suspend } from '../chat/suspensions.ts'

const tags = ['App']

export const suspensionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put(
    '/users/:username/suspension',
    {
      schema: {
        operationId: 'suspendUser',
        summary: 'Suspend a user',
        description:
          'Until the suspension ends, the user can neither write, read, log in nor connect, and nothing can be done on behalf of the user: every attempt gets `ACCOUNT_SUSPENDED` with the reason and the end. Open sockets are closed with 4403. Others see no difference, and can write to the user. A new suspension replaces the old one. Repeating the request changes nothing.',
        tags,
        params: UsernameParams,
        body: ref(SuspensionRequest),
        response: {
          200: ref(Suspension),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'USER_NOT_FOUND'),
        },
      },
    },
    ({ params, body }) => suspend(app.chat, params.username, body),
  )

  app.delete(
    '/users/:username/suspension',
    {
      schema: {
        operationId: 'endSuspension',
        summary: 'Lift the suspension of a user',
        description:
          'Tokens that have not expired can be used again. Changes nothing if the user is not suspended.',
        tags,
        params: UsernameParams,
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'USER_NOT_FOUND'),
        },
      },
    },
    async ({ params }, reply) => {
      await endSuspension(app.chat, params.username)
      return reply.code(204).send(null)
    },
  )
}
