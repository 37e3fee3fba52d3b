import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { LoginRequest, Session } from '../../schemas/account.ts'
import { ref } from '../../schemas/common.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { login } from '../chat/accounts.ts'

export const loginRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/login',
    {
      schema: {
        operationId: 'login',
        summary: 'Log in by name; makes the account if absent',
        description:
          'Without a password where the account has none and the server runs with `AUTH_MODE=open`. With `REGISTRATION=closed` no account is made.',
        tags: ['Accounts'],
        body: ref(LoginRequest),
        response: {
          200: ref(Session),
          ...writeProblems(
            'VALIDATION_FAILED',
            'PASSWORD_REQUIRED',
            'INVALID_CREDENTIALS',
            'FORBIDDEN',
            'RATE_LIMITED',
          ),
        },
      },
    },
    (request) => login(app.chat, app.tokens, request.body, request.ip),
  )
}
