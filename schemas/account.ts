import { Type } from '@sinclair/typebox'
import {
  described,
  Id,
  Metadata,
  metadataRule,
  ref,
  removable,
  reply,
  request,
  type Static,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'
import { Suspension } from './suspension.ts'

/** What the members of a profile hold; a request may have null in place of a value. */
const displayName = {
  minLength: 1,
  maxLength: 128,
  format: 'text',
  description: 'Name to show in place of the username: 1 to 128 code points. Need not be unique.',
}
const avatarUrl = {
  maxLength: 2048,
  format: 'https',
  description: 'URL of a picture: absolute, with the scheme `https`, at most 2,048 characters.',
}

export const Profile = reply(
  {
    display_name: Type.Optional(Type.String(displayName)),
    avatar_url: Type.Optional(Type.String(avatarUrl)),
    metadata: Type.Optional(ref(Metadata)),
  },
  {
    $id: 'Profile',
    description: 'What a user shows of themselves. A member that was never set, or was removed, is absent.',
  },
)
export type Profile = Static<typeof Profile>

const account = {
  id: described(Id, 'Id of the user.'),
  username: Username,
  profile: Type.Optional(ref(Profile)),
}

export const User = reply(
  {
    ...account,
    suspension: Type.Optional(
      described(
        ref(Suspension),
        'Only in the reply of `GET /users/{username}` to the app, while the user is suspended.',
      ),
    ),
  },
  {
    $id: 'User',
    description: 'A user. `profile` is absent if the user has set nothing, or was removed.',
  },
)
export type User = Static<typeof User>

/** The members of every request that sets a profile. `src/chat/profiles.ts` checks the rest of their rules. */
export const profileMembers = {
  display_name: removable<string>('string', displayName),
  avatar_url: removable<string>('string', avatarUrl),
  metadata: removable<Record<string, unknown>>('object', metadataRule),
}

export const ProfileRequest = request(profileMembers, {
  $id: 'ProfileRequest',
  description: 'Changes of your profile. An absent member stays as it is.',
})
export type ProfileRequest = Static<typeof ProfileRequest>

/** A new password has at least MIN_PASSWORD_LENGTH code points. Older passwords may be shorter. */
export const Password = Type.String({
  minLength: 1,
  maxLength: 256,
  format: 'text',
  description: 'The password of the account: 1 to 256 code points.',
})

export const LoginRequest = request(
  {
    username: UsernameInput,
    password: Type.Optional(
      described(
        Password,
        'Password of the account. If the login creates the account, the password needs at least `MIN_PASSWORD_LENGTH` (default 8) code points.',
      ),
    ),
  },
  {
    $id: 'LoginRequest',
    description: 'Username, and the password if the account has one or the server requires one.',
  },
)
export type LoginRequest = Static<typeof LoginRequest>

export const Session = reply(
  {
    token: Type.String({ description: 'JSON Web Token. Send it as `Authorization: Bearer <token>`.' }),
    expires_at: described(Timestamp, 'Time at which the token expires: RFC 3339, UTC, milliseconds.'),
    user: ref(User),
  },
  { $id: 'Session', description: 'A token and its user.' },
)
export type Session = Static<typeof Session>

export const Me = reply(
  {
    ...account,
    has_password: Type.Boolean({ description: 'Whether the account has a password.' }),
  },
  { $id: 'Me', description: 'Your account.' },
)
export type Me = Static<typeof Me>

export const UserList = reply(
  { users: Type.Array(ref(User), { description: 'Users, ordered by the name that was found.' }) },
  { $id: 'UserList', description: 'Users, ordered by the name that was found.' },
)

export const UsersQuery = request({
  prefix: Type.String({
    maxLength: 64,
    default: '',
    description: 'First characters of the username or of the display name. Case is ignored.',
  }),
  limit: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 20,
    description: 'Maximum number of users that a `prefix` finds.',
  }),
  usernames: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 8192,
      format: 'text',
      description:
        'Up to 100 usernames, separated by commas. Case is ignored. Names that no user has are left out. The URL and the headers have together at most 16 KiB: ask for fewer names if they are long when percent-encoded. Do not combine with `prefix`.',
    }),
  ),
})
export type UsersQuery = Static<typeof UsersQuery>

export const PasswordRequest = request(
  {
    password: described(
      Password,
      'New password: at least `MIN_PASSWORD_LENGTH` (default 8) and at most 256 code points.',
    ),
    current_password: Type.Optional(
      described(Password, 'Current password. Required if the account has a password.'),
    ),
  },
  {
    $id: 'PasswordRequest',
    description: 'New password, and the current password if the account has one.',
  },
)

export const LogoutQuery = request({
  everywhere: Type.Boolean({
    default: false,
    description: 'Revoke all tokens of your account, not only the token of this request.',
  }),
})

/** Claims of a token (RFC 7519). `sub` is `user_id` as a string. */
export const TokenClaims = Type.Object({
  sub: Type.String(),
  user_id: Id,
  username: Type.String({ minLength: 1 }),
  jti: Type.String({ minLength: 1, format: 'text' }),
  iat: Type.Integer(),
  exp: Type.Integer(),
})
export type TokenClaims = Static<typeof TokenClaims>
