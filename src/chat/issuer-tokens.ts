import { createHash } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { isUsername } from '../../db/names.ts'
import { AppError } from '../errors.ts'
import { type Issuer, type Issuers, LEEWAY } from './issuers.ts'
import { hasUniqueNames } from './json-names.ts'

/** Characters of a token. A longer one does not fit into the headers of a request. */
const MAX_TOKEN = 16_384

/** The latest time that a Date can have, in milliseconds. */
const LAST_TIME = 8.64e15

/** What a token of an issuer says, after its verification. */
export type IssuedToken = {
  issuer: Issuer
  username: string
  /** Identifies the token for `POST /logout`. */
  jti: string
  /** Seconds since 1970; 0 if the token does not say. */
  issued_at: number
  /** Milliseconds since 1970. */
  expires: number
  /** What the token says about its user. Not checked. */
  name: unknown
  picture: unknown
}

/**
 * Finds out by the `iss` of a token, which is not verified yet, who has to verify it.
 * @returns undefined for a token without `iss`: this server may have issued it
 * @throws AppError `UNAUTHORIZED` for an issuer that is not configured
 */
export const issuerOf = (issuers: Issuers, token: string): Issuer | undefined => {
  if (issuers.size === 0) return undefined
  const claims = decode(token.split('.')[1] ?? '')
  if (claims?.iss === undefined) return undefined
  const issuer = issuers.get(claims.iss as string)
  if (!issuer) throw refused('The issuer of the token is not one of TOKEN_ISSUERS.')
  return issuer
}

/**
 * Verifies a token of an issuer (RFC 7519, RFC 8725).
 * @throws AppError `UNAUTHORIZED`, `ISSUER_UNAVAILABLE`
 */
export const verifyIssued = async (issuer: Issuer, token: string): Promise<IssuedToken> => {
  const end = token.lastIndexOf('.')
  checkShape(token, end)
  const claims = await verify(issuer, token)
  const { sub, iat, exp, name, picture } = claims
  const username = claims[issuer.usernameClaim]
  if (typeof sub !== 'string' || sub === '') throw refused('The claim sub of the token must be a text.')
  if (iat !== undefined && iat > Date.now() / 1000 + LEEWAY)
    throw refused('The token was issued in the future. Compare the clocks of both servers.')
  if (typeof username !== 'string' || !isUsername(username) || username !== username.normalize('NFC')) {
    throw refused(
      `The claim ${issuer.usernameClaim} of the token is not a username: 1 to 64 letters, digits or characters of "._-@+:|~".`,
    )
  }
  return {
    issuer,
    username,
    // Without the signature, of which several texts may be valid.
    jti: createHash('sha256').update(token.slice(0, end)).digest('base64url'),
    issued_at: Math.floor(iat ?? 0),
    expires: Math.floor(Math.min(((exp as number) + LEEWAY) * 1000, LAST_TIME)),
    name,
    picture,
  }
}

/** Every error names the same way out, because this server has no login for such an account. */
const refused = (detail: string) =>
  new AppError('UNAUTHORIZED', `${detail} Get a new token where your app logs you in.`)

const verify = async (issuer: Issuer, token: string): Promise<JWTPayload> => {
  try {
    return await issuer.verify(token)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw refused('The token is not valid or has expired.')
  }
}

/** Members of a header that name or hold a key, or change how the token is read. The issuer's keys come from the configuration. */
const REFUSED_MEMBERS = ['jwk', 'jku', 'x5c', 'x5u', 'crit', 'b64', 'zip', 'enc']

/** Types of tokens that give access. Others, such as logout tokens, do not (RFC 8725, section 3.11). */
const TYPES = ['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']

/** Refuses what jose does not check. */
const checkShape = (token: string, end: number) => {
  if (token.length > MAX_TOKEN) throw refused(`The token is longer than ${MAX_TOKEN} characters.`)
  const [head = '', payload = ''] = token.slice(0, end).split('.')
  const header = decode(head)
  if (!header || !decode(payload)) throw refused('The token is not a JWT whose members have unique names.')
  const { typ = 'JWT', kid = '' } = header
  const isKnown = typeof typ === 'string' && TYPES.includes(typ.toLowerCase())
  if (!isKnown || typeof kid !== 'string' || REFUSED_MEMBERS.some((name) => name in header))
    throw refused('The header of the token has a member or a type that this server does not accept.')
}

/**
 * @returns the JSON object that `part` has in base64url; undefined if there is none, or if a name occurs twice in it: two parsers may
 *   then read different values (RFC 7515, section 4; RFC 7519, section 4)
 */
const decode = (part: string): Record<string, unknown> | undefined => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url'))
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject && hasUniqueNames(text) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
