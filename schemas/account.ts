import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Id, ref, reply, request, type Static, Timestamp, Username, UsernameInput } from './common.ts'

export const User = reply({ id: Id, username: Username }, { $id: 'User' })
export type User = Static<typeof User>

const Password = Type.String({ minLength: 1, maxLength: 256, format: 'text' })

export const LoginRequest = request(
  { username: UsernameInput, password: Type.Optional(Password) },
  { $id: 'LoginRequest' },
)
export type LoginRequest = Static<typeof LoginRequest>

export const Session = reply(
  { token: Type.String(), expires_at: Timestamp, user: ref(User) },
  { $id: 'Session', description: 'A token, and whose it is.' },
)
export type Session = Static<typeof Session>

export const Me = reply({ id: Id, username: Username, has_password: Type.Boolean() }, { $id: 'Me' })
export type Me = Static<typeof Me>

export const UserList = reply({ users: Type.Array(ref(User)) }, { $id: 'UserList' })

export const UsersQuery = request({
  prefix: Type.String({ maxLength: 64, default: '' }),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20 }),
})

export const PasswordRequest = request(
  { password: Password, current_password: Type.Optional(Password) },
  { $id: 'PasswordRequest' },
)

export const LogoutQuery = request({ everywhere: Type.Boolean({ default: false }) })

/** What a token says (RFC 7519); `sub` is `user_id` as text. */
export const TokenClaims = Type.Object({
  sub: Type.String(),
  user_id: Id,
  username: Type.String({ minLength: 1 }),
  jti: Type.String({ minLength: 1 }),
  iat: Type.Integer(),
  exp: Type.Integer(),
})
export type TokenClaims = Static<typeof TokenClaims>

const claims = TypeCompiler.Compile(TokenClaims)
export const isTokenClaims = (value: unknown): value is TokenClaims => claims.Check(value)
