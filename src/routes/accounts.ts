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
import { bearerToken, bodyProblems, openProblems } from '../../schemas/problem.ts'
import { login, logout, renewToken, setPassword } from '../chat/accounts.ts'
import { findPeople, getMe } from '../chat/people.ts'

const tags = ['Accounts']

export const accountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  const protectedCall = { preHandler: app.authenticate }

  app.post(
    '/login',
    {
      schema: {
        operationId: 'login',
        summary: 'Log in by name; makes the account if absent',
        tags,
        body: ref(LoginRequest),
        response: {
          200: ref(Session),
          ...bodyProblems('PASSWORD_REQUIRED', 'INVALID_CREDENTIALS', 'RATE_LIMITED'),
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
        tags,
        security: bearerToken,
        querystring: NoQuery,
        response: { 200: ref(Session), ...openProblems('UNAUTHORIZED') },
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
        tags,
        security: bearerToken,
        querystring: LogoutQuery,
        response: { 204: NoContent, ...openProblems('UNAUTHORIZED') },
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
        tags,
        security: bearerToken,
        response: { 200: ref(Me), ...openProblems('UNAUTHORIZED') },
      },
    },
    (request) => getMe(app.chat, request.me),
  )

  app.put(
    '/users/me/password',
    {
      ...protectedCall,
      schema: {
        operationId: 'setPassword',
        summary: 'Set or change my password; my other tokens end',
        tags,
        security: bearerToken,
        body: ref(PasswordRequest),
        response: {
          204: NoContent,
          ...bodyProblems('UNAUTHORIZED', 'INVALID_CREDENTIALS', 'RATE_LIMITED'),
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
        tags,
        security: bearerToken,
        querystring: UsersQuery,
        response: { 200: ref(UserList), ...openProblems('UNAUTHORIZED') },
      },
    },
    (request) => findPeople(app.chat, request.query),
  )
}
