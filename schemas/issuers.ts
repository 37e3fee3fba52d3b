import { Type } from '@sinclair/typebox'
import { request, type Static, stringEnum } from './common.ts'

/** Algorithms of JWS (RFC 7518, RFC 8037, RFC 9864) that an issuer may sign with. */
const algorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const
export type Algorithm = (typeof algorithms)[number]

const text = Type.String({ minLength: 1, maxLength: 1024, format: 'text' })

/** An entry of TOKEN_ISSUERS. `src/chat/issuers.ts` checks its key. */
const TokenIssuer = request({
  issuer: text,
  audience: Type.Union([text, Type.Array(text, { minItems: 1 })]),
  algorithms: Type.Array(stringEnum(algorithms), { minItems: 1, uniqueItems: true }),
  jwks_url: Type.Optional(text),
  /** PEM text or a JWK. */
  public_key: Type.Optional(
    Type.Union([
      Type.String({ minLength: 1 }),
      Type.Object({ kty: Type.String() }, { additionalProperties: true }),
    ]),
  ),
  secret: Type.Optional(Type.String({ minLength: 1 })),
  username_claim: Type.Optional(text),
  provision: Type.Optional(Type.Boolean()),
})
export type TokenIssuer = Static<typeof TokenIssuer>

/** The value of TOKEN_ISSUERS. */
export const TokenIssuers = Type.Array(TokenIssuer)
