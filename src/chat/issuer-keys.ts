import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { Algorithm, TokenIssuer } from '../../schemas/issuers.ts'

/** RFC 7518, sections 3.3 and 3.5. */
const MIN_RSA_BITS = 2048

/** The type or curve of the key that each algorithm needs; for a secret its minimum length in bytes (RFC 7518, section 3.2). */
const needs: Record<Algorithm, string> = {
  HS256: 'secret of 32',
  HS384: 'secret of 48',
  HS512: 'secret of 64',
  RS256: 'rsa',
  RS384: 'rsa',
  RS512: 'rsa',
  PS256: 'rsa',
  PS384: 'rsa',
  PS512: 'rsa',
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
  EdDSA: 'ed25519',
  Ed25519: 'ed25519',
}

const isSymmetric = (algorithm: Algorithm) => algorithm.startsWith('HS')

/**
 * @param refuse throws the error for the operator; its argument is the predicate of a sentence about the issuer
 * @returns the key of an issuer that the configuration holds, or the URL of its keys
 */
export const readKey = (
  { jwks_url, public_key, secret, algorithms }: TokenIssuer,
  refuse: (mistake: string) => never,
): KeyObject | URL => {
  if ([jwks_url, public_key, secret].filter((given) => given !== undefined).length !== 1)
    return refuse('needs exactly one of jwks_url, public_key and secret')
  const wrong = algorithms.find((algorithm) => isSymmetric(algorithm) !== (secret !== undefined))
  // A list of both would let a public key verify as a secret.
  if (wrong) {
    return refuse(
      isSymmetric(wrong)
        ? `has ${wrong} in algorithms, which needs a secret`
        : `has a secret, which ${wrong} in algorithms does not use`,
    )
  }
  if (jwks_url !== undefined) return readUrl(jwks_url, refuse)
  if (secret !== undefined) return readSecret(secret, algorithms, refuse)
  return readPublicKey(public_key as string | object, algorithms, refuse)
}

const readUrl = (text: string, refuse: (mistake: string) => never): URL => {
  const url = URL.parse(text)
  if (!url || url.username !== '' || url.password !== '')
    return refuse('has a jwks_url that is not a URL, or has a password in it')
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    return refuse('has a jwks_url without https. Only a loopback address may use http')
  return url
}

const isLoopback = (host: string) => host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host)

const readSecret = (secret: string, algorithms: readonly Algorithm[], refuse: (mistake: string) => never) => {
  const key = createSecretKey(secret, 'utf8')
  for (const algorithm of algorithms) {
    const bytes = Number(needs[algorithm].split(' ').at(-1))
    if ((key.symmetricKeySize as number) < bytes)
      return refuse(`has a secret shorter than the ${bytes} bytes that ${algorithm} needs`)
  }
  return key
}

const readPublicKey = (
  given: string | object,
  algorithms: readonly Algorithm[],
  refuse: (mistake: string) => never,
): KeyObject => {
  if (typeof given === 'string' ? given.includes('PRIVATE KEY') : 'd' in given)
    return refuse('has a private key in public_key. Give this server the public key only')
  let key: KeyObject
  try {
    key = createPublicKey(typeof given === 'string' ? given : { key: given as JsonWebKey, format: 'jwk' })
  } catch {
    return refuse('has a public_key that is neither a PEM text nor a JWK')
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  const kind = type === 'ec' ? details?.namedCurve : type
  const wrong = algorithms.find((algorithm) => needs[algorithm] !== kind)
  if (wrong) return refuse(`has a public_key of the type ${kind}, which ${wrong} in algorithms does not use`)
  const bits = details?.modulusLength ?? MIN_RSA_BITS
  if (bits < MIN_RSA_BITS) return refuse(`has an RSA key of ${bits} bits. ${MIN_RSA_BITS} is the minimum`)
  return key
}
