import {
  constants,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  sign as signBytes,
} from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { Test } from 'tap'
import type { Me } from '../../schemas/account.ts'
import { listen } from './listen.ts'
import { call, person } from './server.ts'

export const ISSUER = 'https://login.example.org'
export const AUDIENCE = 'chat'

/** Creating RSA keys takes a while, so files share them. */
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const ed25519 = generateKeyPairSync('ed25519')
export const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })

export const seconds = () => Math.floor(Date.now() / 1000)

/** @returns the claims of a valid token of `ISSUER`. An undefined member of `more` is left out. */
export const claimsFor = (sub: string, more: object = {}): Record<string, unknown> => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub,
  iat: seconds(),
  exp: seconds() + 3600,
  ...more,
})

const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/**
 * Signs a token without the library that verifies it.
 * @param header names the algorithm. A text is signed as it is, like a text as `payload`
 */
export const signToken = (
  header: { alg: string } & Record<string, unknown>,
  payload: object | string,
  key: KeyObject | string,
  headerText?: string,
): string => {
  const input = `${encode(headerText ?? header)}.${encode(payload)}`
  return `${input}.${signature(header.alg, input, key).toString('base64url')}`
}

const signature = (alg: string, input: string, key: KeyObject | string): Buffer => {
  const hash = `sha${alg.slice(2)}`
  const bytes = Buffer.from(input)
  if (alg.startsWith('HS')) return createHmac(hash, key).update(bytes).digest()
  const object = key as KeyObject
  if (/^E[dD]/.test(alg)) return signBytes(null, bytes, object)
  if (alg.startsWith('ES')) return signBytes(hash, bytes, { key: object, dsaEncoding: 'ieee-p1363' })
  if (alg.startsWith('RS')) return signBytes(hash, bytes, object)
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST
  return signBytes(hash, bytes, { key: object, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
}

/** @returns a token of `ISSUER` that is signed by `rsa` */
export const issuedToken = (sub: string, more: object = {}): string =>
  signToken({ alg: 'RS256' }, claimsFor(sub, more), rsa.privateKey)

export const pem = ({ publicKey }: KeyPairKeyObjectResult): string =>
  publicKey.export({ type: 'spki', format: 'pem' }) as string

export const jwk = ({ publicKey }: KeyPairKeyObjectResult, more: object = {}) => ({
  ...publicKey.export({ format: 'jwk' }),
  ...more,
})

/** @returns an entry of TOKEN_ISSUERS. @param key `jwks_url`, `public_key` or `secret`, and optional members */
export const issuerEntry = <K extends object>(issuer: string, algorithms: readonly string[], key: K) => ({
  issuer,
  audience: AUDIENCE,
  algorithms,
  ...key,
})

/** The entry of `ISSUER`, with the public key of `rsa`. */
export const rsaIssuer = issuerEntry(ISSUER, ['RS256'], { public_key: pem(rsa) })

/** @returns the environment of a server with these issuers */
export const issuerEnv = (...issuers: object[]) => ({ TOKEN_ISSUERS: JSON.stringify(issuers) })

/** @returns the actions of the user of a token, whose account the first token creates */
export const enter = async (t: Test, url: string, token: string) => {
  const { status, body } = await call<Me>(url, 'GET', '/users/me', { token })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return person(t, url, { token, expires_at: '', user: { id: body.id, username: body.username } })
}

/** Starts a server of keys. It answers with `keys`, or as `respond` does. */
export const startKeyServer = async (t: Test, keys: object[] = []) => {
  const state = {
    keys,
    requests: 0,
    respond: undefined as RequestListener | undefined,
    url: '',
  }
  const server = createServer((request, reply) => {
    state.requests += 1
    if (state.respond) state.respond(request, reply)
    else reply.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: state.keys }))
  })
  state.url = `${await listen(t, server)}/jwks`
  return state
}
