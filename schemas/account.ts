import { Type } from '@sinclair/typebox'
import {
  described,
  Id,
  ref,
  reply,
  request,
  type Static,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'

export const User = reply(
  { id: described(Id, 'The id of the user.'), username: Username },
  { $id: 'User', description: 'A person.' },
)
export type User = Static<typeof User>

/** New passwords have at least MIN_PASSWORD_LENGTH code points. Accounts may have shorter ones from before. */
export const Password = Type.String({
  minLength: 1,
  maxLength: 256,
  format: 'text',
  description: 'The password: 1 to 256 code points.',
})

export const LoginRequest = request(
  {
    username: UsernameInput,
    password: Type.Optional(
      described(
        Password,
        'The password of the account. If the login creates the account: at least `MIN_PASSWORD_LENGTH` (8) code points.',
      ),
    ),
  },
  {
    $id: 'LoginRequest',
    description: 'Who logs in; the password where the account has one, or the server wants one.',
  },
)
export type LoginRequest = Static<typeof LoginRequest>

export const Session = reply(
  {
    token: Type.String({ description: 'A JSON Web Token, for `Authorization: Bearer`.' }),
    expires_at: described(Timestamp, 'When the token ends: RFC 3339, UTC, milliseconds.'),
    user: ref(User),
  },
  { $id: 'Session', description: 'A token, and whose it is.' },
)
export type Session = Static<typeof Session>

export const Me = reply(
  {
    id: described(Id, 'The id of the user.'),
    username: Username,
    has_password: Type.Boolean({ description: 'Whether a login needs a password.' }),
  },
  { $id: 'Me', description: 'One’s own account.' },
)
export type Me = Static<typeof Me>

export const UserList = reply(
  { users: Type.Array(ref(User), { description: 'By name.' }) },
  { $id: 'UserList', description: 'People, by name.' },
)

export const UsersQuery = request({
  prefix: Type.String({
    maxLength: 64,
    default: '',
    description: 'How the name begins, compared without case.',
  }),
  limit: Type.Integer({ minimum: 1, maximum: 100, default: 20, description: 'How many at most.' }),
})

export const PasswordRequest = request(
  {
    password: described(
      Password,
      'The new password: at least `MIN_PASSWORD_LENGTH` (8) and at most 256 code points.',
    ),
    current_password: Type.Optional(
      described(Password, 'The password as it is now; required if the account has one.'),
    ),
  },
  {
    $id: 'PasswordRequest',
    description: 'The new password, and the one that the account has, if it has one.',
  },
)

export const LogoutQuery = request({
  everywhere: Type.Boolean({ default: false, description: 'All my tokens, not only this one.' }),
})

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
