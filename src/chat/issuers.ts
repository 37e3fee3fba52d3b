import { readFileSync } from 'node:fs'
import { KeyObject } from 'node:crypto'
import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { issuerOwner, type Owner } from '../../db/owners.ts'
import { type TokenIssuer, TokenIssuers } from '../../schemas/issuers.ts'
import { lazyValidator, strictAjv } from '../../schemas/validation.ts'
import { type Config, ConfigError } from '../config.ts'
import type { AppError } from '../errors.ts'
import { readKey } from './issuer-keys.ts'
import { createJwks } from './jwks.ts'

/** Seconds by which the clocks of an issuer and of this server may differ. */
export const LEEWAY = 60

/** An issuer of tokens that the operator trusts. */
export type Issuer = {
  /** The owner of its accounts. */
  owner: Owner
  usernameClaim: string
  /** Whether a valid token creates its account. */
  provision: boolean
  /**
   * Verifies the signature, `iss`, `aud`, `exp` and `nbf` of a token.
   * @throws (rejects) an error of jose; AppError `ISSUER_UNAVAILABLE`
   */
  verify(token: string): Promise<JWTPayload>
}

/** By `iss`. */
export type Issuers = ReadonlyMap<string, Issuer>

/**
 * Reads TOKEN_ISSUERS.
 * @param report receives the error of each fetch of keys that fails
 * @throws ConfigError, whose message names the mistake and shows no secret
 */
export const openIssuers = ({ TOKEN_ISSUERS }: Config, report: (error: AppError) => void): Issuers => {
  const issuers = new Map<string, Issuer>()
  for (const [index, issuer] of readList(TOKEN_ISSUERS).entries()) {
    if (issuers.has(issuer.issuer))
      refuse(index, 'has the issuer of an earlier entry. Each may be named once')
    issuers.set(issuer.issuer, createIssuer(issuer, index, report))
  }
  return issuers
}

const readList = (value = '[]'): TokenIssuer[] => {
  const isList = /^\s*[[{]/.test(value)
  const name = isList ? 'TOKEN_ISSUERS' : `The file ${value} of TOKEN_ISSUERS`
  const text = isList ? value : readFile(value, name)
  let list: unknown
  try {
    list = JSON.parse(text)
  } catch {
    throw new ConfigError(`${name} is not valid JSON. See SECURITY.md for an example.`)
  }
  if (isIssuers(list)) return list as TokenIssuer[]
  const [error] = isIssuers.errors as NonNullable<typeof isIssuers.errors>
  const member = error?.params.additionalProperty ?? ''
  throw new ConfigError(
    `${name} is not valid: ${error?.instancePath || 'it'} ${error?.message}${member && ` (${member})`}. See SECURITY.md for an example.`,
  )
}

const isIssuers = lazyValidator(() => strictAjv.compile(TokenIssuers))

const readFile = (path: string, name: string) => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(`${name} cannot be read: ${(cause as Error).message}.`)
  }
}

const refuse = (index: number, mistake: string): never => {
  throw new ConfigError(`Entry ${index} of TOKEN_ISSUERS ${mistake}. See SECURITY.md for an example.`)
}

const createIssuer = (given: TokenIssuer, index: number, report: (error: AppError) => void): Issuer => {
  const { issuer, audience, algorithms, username_claim = 'sub', provision = true } = given
  const key = readKey(given, (mistake) => refuse(index, mistake))
  const findKey: JWTVerifyGetKey =
    key instanceof KeyObject ? () => key : createJwks(key.href, { issuer, report })
  const options = {
    issuer,
    audience,
    algorithms,
    clockTolerance: LEEWAY,
    requiredClaims: ['exp', 'sub'],
  }
  return {
    owner: issuerOwner(issuer),
    usernameClaim: username_claim,
    provision,
    verify: async (token) => (await jwtVerify(token, findKey, options)).payload,
  }
}
