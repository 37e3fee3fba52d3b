import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Session, User } from '../../schemas/account.ts'
import { TokenRequest, UserRequest } from '../../schemas/app-users.ts'
import { NoContent, NoQuery, ref, UsernameParams } from '../../schemas/common.ts'
import { writeProblems } from '../../schemas/problem.ts'
import { issueToken, logOutUser, putUser, removeUser } from '../chat/app-users.ts'

const tags = ['App']

/** Users of the app, as the app manages them. */
export const appUserRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.put(
    '/users/:username',
    {
      schema: {
        operationId: 'putUser',
        summary: 'Create a user, or change the profile',
        description:
          'A new account belongs to the app, or to `issuer`: nobody can log in under its name. Names that the app creates may also contain `@`, `+`, `:`, `|` and `~`. Of an account that exists, whoever created it, only the profile is changed. Repeating the request changes nothing.',
        tags,
        params: UsernameParams,
        body: ref(UserRequest),
        response: { 200: ref(User), ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN') },
      },
    },
    ({ params, body }) => putUser(app.chat, app.issuers, params.username, body),
  )

  app.delete(
    '/users/:username',
    {
      schema: {
        operationId: 'removeUser',
        summary: 'Remove a user',
        description:
          'All tokens end, all sockets are closed, and the account leaves its groups. Its messages stay, and its name cannot be used again. This cannot be undone.',
        tags,
        params: UsernameParams,
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'USER_NOT_FOUND'),
        },
      },
    },
    async ({ params }, reply) => {
      await removeUser(app.chat, params.username)
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/users/:username/tokens',
    {
      schema: {
        operationId: 'createToken',
        summary: 'Create a token of a user',
        description:
          'Give it to the devices of the user. After a change of the server’s secret, a token is valid for at most `TOKEN_TTL`.',
        tags,
        params: UsernameParams,
        body: ref(TokenRequest),
        response: {
          200: ref(Session),
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'ACCOUNT_SUSPENDED', 'USER_NOT_FOUND'),
        },
      },
    },
    ({ params, body }) => issueToken(app.chat, app.tokens, params.username, body),
  )

  app.post(
    '/users/:username/logout',
    {
      schema: {
        operationId: 'logOutUser',
        summary: 'End all tokens of a user',
        description:
          'Every token that was issued before now ends immediately, and the sockets that use it are closed.',
        tags,
        params: UsernameParams,
        querystring: NoQuery,
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'FORBIDDEN', 'USER_NOT_FOUND'),
        },
      },
    },
    async ({ params }, reply) => {
      await logOutUser(app.chat, params.username)
      return reply.code(204).send(null)
    },
  )
}
