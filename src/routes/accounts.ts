import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { LogoutQuery, Me, PasswordRequest, Session, UserList, UsersQuery } from '../../schemas/account.ts'
import { NoContent, NoQuery, ref } from '../../schemas/common.ts'
import { bodyCodes, readProblems, writeProblems } from '../../schemas/problem.ts'
import { logout, renewToken, setPassword } from '../chat/accounts.ts'
import { getMe, searchUsers } from '../chat/directory.ts'
import { removeAccount } from '../chat/removal.ts'

const tags = ['Accounts']

export const accountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/token',
    {
      schema: {
        operationId: 'renewToken',
        summary: 'A fresh token for a valid one',
        description:
          'The token that asks stays valid until it ends. On an open socket a fresh one is handed over with an `auth` frame.',
        tags,
        querystring: NoQuery,
        response: {
          200: ref(Session),
          ...readProblems('VALIDATION_FAILED', 'RATE_LIMITED', ...bodyCodes),
        },
      },
    },
    (request) => renewToken(app.chat, app.tokens, request.me),
  )

  app.post(
    '/logout',
    {
      schema: {
        operationId: 'logout',
        summary: 'Revoke this token, or all of mine; their sockets close',
        description: 'The token ends at once, and so do the sockets that were opened with it.',
        tags,
        querystring: LogoutQuery,
        response: { 204: NoContent, ...writeProblems('VALIDATION_FAILED') },
      },
    },
    async (request, reply) => {
      await logout(app.chat, request.me, request.query)
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/users/me',
    {
      schema: {
        operationId: 'getMe',
        summary: 'My account',
        description: 'Whose token this is: also the way to find out whether it still holds.',
        tags,
        response: { 200: ref(Me), ...readProblems() },
      },
    },
    (request) => getMe(app.chat, request.me),
  )

  app.delete(
    '/users/me',
    {
      schema: {
        operationId: 'removeMe',
        summary: 'Remove my account; its name stays taken, its messages stay',
        description: 'Tokens end, sockets close, groups are left. There is no way back.',
        tags,
        response: { 204: NoContent, ...writeProblems() },
      },
    },
    async (request, reply) => {
      await removeAccount(app.chat, request.me.user_id)
      return reply.code(204).send(null)
    },
  )

  app.put(
    '/users/me/password',
    {
      schema: {
        operationId: 'setPassword',
        summary: 'Set or change my password; my other tokens end',
        description:
          'An account that has a password needs it as `current_password`. The token that asks stays valid.',
        tags,
        body: ref(PasswordRequest),
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'INVALID_CREDENTIALS', 'RATE_LIMITED'),
        },
      },
    },
    async (request, reply) => {
      await setPassword(app.chat, request.me, request.body)
      return reply.code(204).send(null)
    },
  )

  app.get(
    '/users',
    {
      schema: {
        operationId: 'findUsers',
        summary: 'People to write to, by the beginning of their name',
        description: 'By name, as many as `limit`; with an empty `prefix` the first of all.',
        tags,
        querystring: UsersQuery,
        response: { 200: ref(UserList), ...readProblems('VALIDATION_FAILED') },
      },
    },
    (request) => searchUsers(app.chat, request.query),
  )
}
