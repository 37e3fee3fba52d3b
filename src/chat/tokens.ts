import { randomBytes } from 'node:crypto'
import type { Notice } from '../../db/changes.ts'
import * as users from '../../db/queries/users.ts'
import { isTokenOf, toTokenId } from '../../db/token-family.ts'
import type { Profile } from '../../db/transaction.ts'
import { refuseSuspended } from '../../db/refusals.ts'
import type { Session } from '../../schemas/account.ts'
import { createCache } from '../cache.ts'
import { unauthorized } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { followEndings } from './endings.ts'
import { createAdmission } from './issuer-accounts.ts'
import { issuerOf, verifyIssued } from './issuer-tokens.ts'
import type { Issuer, Issuers } from './issuers.ts'
import { FRESH_MS } from './jwks.ts'
import { type Signer, verifyOwn } from './own-tokens.ts'
import { toUser } from './profiles.ts'

type Account = { id: number; username: string; token_family: string; token_era: string } & Profile
type Holder = Pick<Identity, 'user_id' | 'username' | 'jti' | 'issued_at'>

/**
 * @returns a random token family. Every token names the family of its account, so a new family revokes all older tokens.
 */
export const newTokenFamily = () => randomBytes(9).toString('base64url')

/**
 * @returns a random token era. Every token names the newest era, so a new era revokes all older tokens of all accounts. It is not a
 *   number, because a restored database gives its numbers again.
 */
export const newTokenEra = () => randomBytes(9).toString('base64url')

/**
 * Issues and verifies tokens. Verification takes a third of the time of an empty request, so results are cached by the text
 * of the token until any token is revoked.
 * @param issuers issue tokens beside this server
 * @param ttl lifetime of a token in seconds, unless another one is asked for
 */
export const createTokens = (signer: Signer, chat: Chat, issuers: Issuers, ttl: number) => {
  const { reader, bus, turns } = chat
  const verified = createCache<string, Identity>(50_000)
  /** Those of issuers. Verified again after a while, because an issuer may withdraw a key. */
  const verifiedOfIssuers = createCache<string, Identity>(50_000, { ttl: FRESH_MS })
  const admit = createAdmission(chat)
  const endings = followEndings(bus, mayEndTokens, () => {
    verified.clear()
    verifiedOfIssuers.clear()
  })

  /** @throws AppError `UNAUTHORIZED` if the token was revoked or its account was removed; `ACCOUNT_SUSPENDED` */
  const checkHolder = async (holder: Holder) => {
    const { user_id, username, jti } = holder
    const user = await reader.get(users.tokenHolder, { id: user_id, jti })
    if (
      !user ||
      !isTokenOf(holder, user) ||
      user.removed_at !== null ||
      user.username !== username ||
      user.is_revoked
    ) {
      throw unauthorized('The token was revoked or its account was removed. Log in again.')
    }
    refuseSuspended(user)
  }

  const lookUpIssued = async (issuer: Issuer, token: string): Promise<Identity> => {
    const verified_at = endings.head
    const issued = await verifyIssued(issuer, token)
    const { username, jti, issued_at, expires } = issued
    const user_id = await admit(issued, newTokenFamily())
    const identity = { user_id, username, jti, issued_at, expires, verified_at }
    await checkHolder(identity)
    if (endings.isCurrent(verified_at)) verifiedOfIssuers.set(token, identity)
    return identity
  }

  const lookUp = async (token: string): Promise<Identity> => {
    const issuer = issuerOf(issuers, token)
    if (issuer) return lookUpIssued(issuer, token)
    const verified_at = endings.head
    const { claims, until } = await verifyOwn(signer, token)
    const { user_id, username, jti } = claims
    await checkHolder({ user_id, username, jti })
    // A token of a retired secret may outlive the secret. It must not be cached for longer than the secret verifies.
    const identity = { user_id, username, jti, expires: Math.min(claims.exp * 1000, until), verified_at }
    if (endings.isCurrent(verified_at)) verified.set(token, identity)
    return identity
  }

  /** Waits for a turn, because after a lost batch every open socket and long poll calls it. */
  const checkAgain = async (me: Identity): Promise<void> => {
    await turns.ready(me.user_id)
    await checkHolder(me)
  }

  return {
    /**
     * @param seconds lifetime of the token
     * @returns a new token of the account and its expiry time
     */
    issue(account: Account, seconds = ttl): Session {
      const iat = Math.floor(Date.now() / 1000)
      const exp = iat + seconds
      const { id, username } = account
      const jti = toTokenId(account, randomBytes(9).toString('base64url'))
      return {
        token: signer.sign({ sub: String(id), user_id: id, username, jti, iat, exp }),
        expires_at: new Date(exp * 1000).toISOString(),
        user: toUser(account),
      }
    },

    /** @returns the user of a token that was verified before and is cached */
    known: (token: string): Identity | undefined => verified.get(token) ?? verifiedOfIssuers.get(token),

    /**
     * @returns the user of the token; not a promise if the token is cached
     * @throws AppError `UNAUTHORIZED` if the token is invalid, expired or revoked, synchronously or as a rejection;
     *   `ACCOUNT_SUSPENDED`; `ISSUER_UNAVAILABLE` if the keys of its issuer cannot be fetched
     */
    verify(token: string): Identity | Promise<Identity> {
      const identity = verified.get(token) ?? verifiedOfIssuers.get(token)
      if (!identity) return lookUp(token)
      if (identity.expires > Date.now()) return identity
      throw unauthorized('The token has expired. Log in again.')
    },

    /**
     * Reads again whether the token of `me` is valid. Call it when notices may have been missed: after a lost batch, and
     * when a socket or a long poll begins to listen to notices.
     * @returns undefined if no token ended since `me` was verified; else a promise that rejects with AppError
     *   `UNAUTHORIZED` if the token was revoked or its account was removed, or `ACCOUNT_SUSPENDED`
     */
    recheck(me: Identity): Promise<void> | undefined {
      return endings.isCurrent(me.verified_at) ? undefined : checkAgain(me)
    },
  }
}

/** Whether a notice may end tokens, or their use. A missing row does not compile. */
const mayEndTokens: Record<Notice['type'], boolean> = {
  token_ended: true,
  tokens_ended: true,
  all_tokens_ended: true,
  secret_rotated: true,
  key_ended: false,
  user: false,
  report: false,
  suspension: true,
  block: false,
}

export type Tokens = ReturnType<typeof createTokens>
