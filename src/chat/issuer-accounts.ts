import { foldName } from '../../db/names.ts'
import * as users from '../../db/queries/users.ts'
import { isSuspended } from '../../db/refusals.ts'
import { isAfter } from '../../db/token-family.ts'
import type { StoredUser } from '../../db/transaction.ts'
import { Profile } from '../../schemas/account.ts'
import { lazyValidator, strictAjv } from '../../schemas/validation.ts'
import { unauthorized } from '../errors.ts'
import type { Chat } from './context.ts'
import type { IssuedToken } from './issuer-tokens.ts'

type ProfileOfToken = { display_name?: string; avatar_url?: string }

/**
 * @returns a function that finds the account of a verified token, or creates it if the issuer may. It rejects with AppError
 *   `UNAUTHORIZED` if there is no such account or another owner has it.
 */
export const createAdmission = (chat: Chat) => {
  const { reader, writer } = chat
  /** Failures are left to the next verification of a token of the user, so nobody waits. */
  const updateProfile = (user: StoredUser, { issued_at }: IssuedToken, change: ProfileOfToken) => {
    const isKnown = Object.entries(change).every(([name, value]) => user[name as keyof StoredUser] === value)
    if (isKnown || !isAfter(issued_at, user.profile_from)) return
    writer
      .append('setTokenProfile', { user_id: user.id, change, issued_at })
      /* c8 ignore next -- only a database that fails at this moment, or an account that is removed, refuses it */
      .catch(() => {})
  }

  /** @param family the token family of a new account */
  return async (issued: IssuedToken, family: string): Promise<number> => {
    const { issuer, username } = issued
    const { owner } = issuer
    const profile = profileOf(issued)
    const known = await reader.get(users.userByKey, { key: foldName(username) })
    if (!known && !issuer.provision)
      throw unauthorized(`No account has the name ${username}. Your app must create it first.`)
    const { user } = known
      ? { user: known }
      : await writer.append('createUser', {
          username,
          password_hash: null,
          family,
          owner,
          profile: { display_name: null, avatar_url: null, metadata: null, ...profile },
          profile_from: issued.issued_at,
        })
    if (user.owner !== owner)
      throw unauthorized(`The account ${username} does not belong to the issuer of the token.`)
    // Names are compared without case. For the issuer they may be two users.
    if (user.username !== username)
      throw unauthorized(`The account is named ${user.username}, which differs from the name in the token.`)
    if (user.removed_at === null && !isSuspended(user)) updateProfile(user, issued, profile)
    return user.id
  }
}

const isProfile = lazyValidator(() => strictAjv.compile(Profile))

/** @returns the valid ones of the claims `name` and `picture` */
const profileOf = ({ name, picture }: IssuedToken): ProfileOfToken => ({
  ...(typeof name === 'string' && isProfile({ display_name: name }) && { display_name: name }),
  ...(typeof picture === 'string' && isProfile({ avatar_url: picture }) && { avatar_url: picture }),
})
