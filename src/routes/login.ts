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
        summary: 'Log in, and create the account if it does not exist',
        description:
          'With `AUTH_MODE=open`, an account without a password needs only its name. With `REGISTRATION=closed`, a login never creates an account. With `AUTH_MODE=external` there are no logins, and an account of your app never has one.',
        tags: ['Accounts'],
        body: ref(LoginRequest),
        response: {
          200: ref(Session),
          ...writeProblems(
            'VALIDATION_FAILED',
            'PASSWORD_REQUIRED',
            'INVALID_CREDENTIALS',
            'FORBIDDEN',
            'ACCOUNT_SUSPENDED',
            'RATE_LIMITED',
          ),
        },
      },
    },
    (request) => login(app.chat, app.tokens, request.body, request.ip),
  )
}
