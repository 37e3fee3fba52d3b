import { TokenClaims } from '../../schemas/account.ts'
import { lazyValidator, strictAjv } from '../../schemas/validation.ts'
import { unauthorized } from '../errors.ts'

/**
 * Signs and verifies JSON Web Tokens (RFC 7519). `verify` throws if the token is invalid in any way. Its `until` is the time
 * until which the secret of the token verifies, in milliseconds since 1970.
 */
export type Signer = {
  sign(claims: TokenClaims): string
  verify(token: string): { claims: unknown; until: number }
  /** Looks for new secrets after `verify` threw; resolves to whether to try again. Absent if no other process replaces them. */
  refresh: (() => Promise<boolean>) | undefined
}

type Verified = { claims: TokenClaims; until: number }

/**
 * Verifies a token of this server. If no known secret verifies it, another server may have replaced the secret: reads the secrets
 * again.
 * @returns the claims, and `until` of `Signer`
 * @throws AppError `UNAUTHORIZED`
 */
export const verifyOwn = async (signer: Signer, token: string): Promise<Verified> => {
  try {
    return verify(signer, token)
  } catch (error) {
    if (!(await signer.refresh?.())) throw error
    return verify(signer, token)
  }
}

const verify = (signer: Signer, token: string): Verified => {
  let verified: ReturnType<Signer['verify']>
  try {
    verified = signer.verify(token)
  } catch {
    throw unauthorized('The token is not valid or has expired. Log in again.')
  }
  const { claims, until } = verified
  if (!isClaims(claims) || claims.sub !== String(claims.user_id))
    throw unauthorized('The token was not issued by this server. Log in again.')
  return { claims, until }
}

const validClaims = lazyValidator(() => strictAjv.compile(TokenClaims))
const isClaims = (claims: unknown): claims is TokenClaims => validClaims(claims)
