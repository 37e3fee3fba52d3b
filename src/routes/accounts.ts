import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import {
  LogoutQuery,
  Me,
  PasswordRequest,
  ProfileRequest,
  Session,
  User,
  UserList,
  UsersQuery,
} from '../../schemas/account.ts'
import { NoContent, NoQuery, ref, UsernameParams } from '../../schemas/common.ts'
import { bodyCodes, readProblems, writeProblems } from '../../schemas/problem.ts'
import { logout, renewToken, setPassword } from '../chat/accounts.ts'
import { findUsers, getMe, getUser } from '../chat/directory.ts'
import { setMyProfile } from '../chat/profiles.ts'
import { removeAccount } from '../chat/removal.ts'

const tags = ['Accounts']

export const accountRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post(
    '/token',
    {
      schema: {
        operationId: 'renewToken',
        summary: 'Renew my token',
        description:
          'Returns a new token. The old one stays valid until it expires. Pass the new token to an open socket with an `auth` frame. An account of your app gets its tokens from your app.',
        tags,
        querystring: NoQuery,
        response: {
          200: ref(Session),
          ...readProblems('VALIDATION_FAILED', 'FORBIDDEN', 'RATE_LIMITED', ...bodyCodes),
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
        summary: 'Revoke this token, or all my tokens',
        description: 'The token ends immediately, and the sockets that use it are closed.',
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
        summary: 'Get my account',
        description:
          'Returns the account of the token. You can also use it to check whether the token is still valid.',
        tags,
        response: { 200: ref(Me), ...readProblems() },
      },
    },
    (request) => getMe(app.chat, request.me),
  )

  app.patch(
    '/users/me',
    {
      schema: {
        operationId: 'setProfile',
        summary: 'Change my profile',
        description:
          'An absent member stays as it is, and `null` removes it. Everybody who finds your name sees your profile. Users in a conversation with you receive a `user` frame.',
        tags,
        body: ref(ProfileRequest),
        response: { 200: ref(Me), ...writeProblems('VALIDATION_FAILED', 'RATE_LIMITED') },
      },
    },
    (request) => setMyProfile(app.chat, request.me, request.body),
  )

  app.delete(
    '/users/me',
    {
      schema: {
        operationId: 'removeMe',
        summary: 'Remove my account',
        description:
          'All tokens end, all sockets are closed, and the account leaves its groups. Its messages stay, and its name cannot be used again. This cannot be undone.',
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
        summary: 'Set or change my password',
        description:
          'If the account has a password, `current_password` is required. All other tokens of the account end; this one stays valid. An account of your app has no password here.',
        tags,
        body: ref(PasswordRequest),
        response: {
          204: NoContent,
          ...writeProblems('VALIDATION_FAILED', 'INVALID_CREDENTIALS', 'FORBIDDEN', 'RATE_LIMITED'),
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
        summary: 'Find users by the beginning of a name, or by their usernames',
        description:
          'With `prefix`: at most `limit` users whose username or display name begins with it, ordered by the name that does. An empty `prefix` matches every user. With `usernames`: the users who have these names. Both leave out removed accounts.',
        tags,
        querystring: UsersQuery,
        response: { 200: ref(UserList), ...readProblems('VALIDATION_FAILED') },
      },
    },
    (request) => findUsers(app.chat, request.query),
  )

  app.get(
    '/users/:username',
    {
      config: { callers: 'all' },
      schema: {
        operationId: 'getUser',
        summary: 'Get a user',
        description:
          'Returns the user with the profile. The app also sees a suspension. A user whose name is `me` is only found by `GET /users?usernames=me`.',
        tags,
        params: UsernameParams,
        response: { 200: ref(User), ...readProblems('VALIDATION_FAILED', 'USER_NOT_FOUND') },
      },
    },
    ({ caller, params }) => getUser(app.chat, caller, params.username),
  )
}
