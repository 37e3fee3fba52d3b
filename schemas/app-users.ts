import { Type } from '@sinclair/typebox'
import { profileMembers } from './account.ts'
import { request, type Static } from './common.ts'

/** The longest lifetime of a token: a year, in seconds. */
export const MAX_TOKEN_TTL = 31_536_000

export const UserRequest = request(
  {
    ...profileMembers,
    issuer: Type.Optional(
      Type.String({
        maxLength: 512,
        description:
          'An issuer of `TOKEN_ISSUERS`: its tokens log the user in. If absent, a new account belongs to the server keys. It cannot be changed later.',
      }),
    ),
  },
  {
    $id: 'UserRequest',
    description: 'Profile of a user. `null` removes a member. An absent member stays as it is.',
  },
)
export type UserRequest = Static<typeof UserRequest>

export const TokenRequest = request(
  {
    expires_in: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: MAX_TOKEN_TTL,
        description: 'Lifetime of the token in seconds. Default: `TOKEN_TTL`.',
      }),
    ),
  },
  { $id: 'TokenRequest', description: 'Lifetime of a new token.' },
)
export type TokenRequest = Static<typeof TokenRequest>
