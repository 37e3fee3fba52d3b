import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  LoginRequest,
  LogoutQuery,
  Me,
  PasswordRequest,
  Session,
  UserList,
  UsersQuery,
} from '../../schemas/account.ts'
import { NoContent, NoQuery, ref } from '../../schemas/common.ts'
import { bearerToken, bodyCodes, readProblems, writeProblems } from '../../schemas/problem.ts'
import { login, logout, renewToken, setPassword } from '../chat/accounts.ts'
import { findPeople, getMe } from '../chat/directory.ts'
import { removeAccount } from '../chat/removal.ts'

const tags = ['Accounts']

export const accountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const protectedCall = { preHandler: app.authenticate }

  app.post(
    '/login',
    {
      schema: {
        operationId: 'login',
        summary: 'Log in by name; makes the account if absent',
        description:
          'Without a password where the account has none and the server runs with `AUTH_MODE=open`. With `REGISTRATION=closed` no account is made.',
        tags,
        security: [],
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

  app.post(
    '/token',
    {
      ...protectedCall,
      schema: {
        operationId: 'renewToken',
        summary: 'A fresh token for a valid one',
        description:
          'The token that asks stays valid until it ends. On an open socket a fresh one is handed over with an `auth` frame.',
        tags,
        security: bearerToken,
        querystring: NoQuery,
        response: {
          200: ref(Session),
          ...readProblems('VALIDATION_FAILED', 'UNAUTHORIZED', 'RATE_LIMITED', ...bodyCodes),
        },
      },
    },
    (request) => renewToken(app.chat, app.tokens, request.me),
  )

  app.post(
    '/logout',
    {
      ...protectedCall,
      schema: {
        operationId: 'logout',
        summary: 'Revoke this token, or all of mine; their sockets close',
        description: 'The token ends at once, and so do the sockets that were opened with it.',
        tags,
        security: bearerToken,
        querystring: LogoutQuery,
        response: { 204: NoContent, ...writeProblems('VALIDATION_FAILED', 'UNAUTHORIZED') },
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
      ...protectedCall,
      schema: {
        operationId: 'getMe',
        summary: 'My account',
        description: 'Whose token this is: also the way to find out whether it still holds.',
        tags,
        security: bearerToken,
        response: { 200: ref(Me), ...readProblems('UNAUTHORIZED') },
      },
    },
    (request) => getMe(app.chat, request.me),
  )

  app.delete(
    '/users/me',
    {
      ...protectedCall,
      schema: {
        operationId: 'removeMe',
        summary: 'Remove my account; its name stays taken, its messages stay',
        description: 'Tokens end, sockets close, groups are left. There is no way back.',
        tags,
        security: bearerToken,
        response: { 204: NoContent, ...writeProblems('UNAUTHORIZED') },
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
      ...protectedCall,
      schema: {
        operationId: 'setPassword',
        summary: 'Set or change my password; my other tokens end',
        description:
          'An account that has a password needs it as `current_password`. The token that asks stays valid.',
        tags,
        security: bearerToken,
        body: ref(PasswordRequest),
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'UNAUTHORIZED', 'INVALID_CREDENTIALS', 'RATE_LIMITED'),
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
      ...protectedCall,
      schema: {
        operationId: 'findUsers',
        summary: 'People to write to, by the beginning of their name',
        description: 'By name, as many as `limit`; with an empty `prefix` the first of all.',
        tags,
        security: bearerToken,
        querystring: UsersQuery,
        response: { 200: ref(UserList), ...readProblems('VALIDATION_FAILED', 'UNAUTHORIZED') },
      },
    },
    (request) => findPeople(app.chat, request.query),
  )
}
