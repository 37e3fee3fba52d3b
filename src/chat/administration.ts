import { foldName, unknownUser } from '../../db/names.ts'
import type { Reader } from '../../db/query.ts'
import { figures } from '../../db/queries/figures.ts'
import { serverKeys } from '../../db/queries/server-keys.ts'
import * as users from '../../db/queries/users.ts'
import type { User } from '../../schemas/account.ts'
import type { Suspension } from '../../schemas/suspension.ts'
import { AppError, invalid } from '../errors.ts'
import type { Secrets } from './secrets.ts'
import { ensureAccount, refuseExternal } from './accounts.ts'
import type { Chat } from './context.ts'
import { prefixRange } from './directory.ts'
import { timestamp } from './messages.ts'
import { toSuspension } from './suspensions.ts'
import { checkNewPassword, hashPassword } from './passwords.ts'
import { newTokenEra, newTokenFamily } from './tokens.ts'

/** An account as the operator sees it. Times are RFC 3339. */
export type Account = {
  id: number
  username: string
  has_password: boolean
  created_at: string
  removed_at?: string
  /** Present while the account is suspended. */
  suspension?: Suspension
}

/** @returns at most `limit` accounts whose name begins with `prefix`, ordered by name, removed accounts included. */
export const listAccounts = async (
  reader: Reader,
  { prefix, limit }: { prefix: string; limit: number },
): Promise<Account[]> => {
  const rows = await reader.all(users.accounts, { ...prefixRange(prefix), limit })
  return rows.map(({ id, username, password_hash, created_at, removed_at, ...stored }) => {
    const suspension = toSuspension(stored)
    return {
      id,
      username,
      has_password: password_hash !== null,
      created_at: timestamp(created_at),
      ...(removed_at !== null && { removed_at: timestamp(removed_at) }),
      ...(suspension && { suspension }),
    }
  })
}

/** @returns the number of rows of each kind in the database. */
export const countAll = async (reader: Reader) =>
  (await reader.get(figures, {})) as NonNullable<(typeof figures)['row']>

/** @returns the id of an account that was not removed. @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED` */
export const accountNamed = async (chat: Chat, username: string): Promise<number> => {
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (!user || user.removed_at !== null) throw unknownUser(username, '/username')
  return user.id
}

/**
 * Creates an account, whatever REGISTRATION says.
 * @param password if absent, the account has no password and its username is enough to log in
 * @throws AppError `VALIDATION_FAILED` if the name is not allowed or taken, or the password is not allowed;
 *   `PASSWORD_REQUIRED` if AUTH_MODE is `password` and no password is given; `FORBIDDEN` if it is `external` and one is given
 */
export const createAccount = async (
  chat: Chat,
  { username, password }: { username: string; password?: string },
): Promise<User> => {
  if (password === undefined && chat.config.AUTH_MODE === 'password') {
    throw new AppError('PASSWORD_REQUIRED', 'AUTH_MODE is "password": a new account needs a password.')
  }
  if (password !== undefined) refuseExternal(chat)
  const { user, created } = await ensureAccount(chat, username, password)
  if (!created) throw invalid('/username', 'is taken (a removed account keeps its name); choose another')
  return { id: user.id, username: user.username }
}

/**
 * Sets the password of an account without the current password and revokes all tokens of the account.
 * @throws AppError `VALIDATION_FAILED` if the password is not allowed; `UNAUTHORIZED` if the account was removed;
 *   `FORBIDDEN` under AUTH_MODE `external`, or if the account has an owner
 */
export const resetPassword = async (chat: Chat, user_id: number, password: string): Promise<void> => {
  refuseExternal(chat)
  checkNewPassword(password, chat.config.MIN_PASSWORD_LENGTH)
  await chat.writer.append('resetPassword', {
    user_id,
    password_hash: await hashPassword(password),
    family: newTokenFamily(),
  })
}

/** Revokes all tokens of an account. @throws AppError `UNAUTHORIZED` if the account was removed */
export const revokeTokens = async (chat: Chat, user_id: number): Promise<void> => {
  await chat.writer.append('revokeAll', { user_id, family: newTokenFamily() })
}

/** Revokes all tokens of all accounts. */
export const revokeEveryToken = async (chat: Chat): Promise<void> => {
  await chat.writer.append('revokeEverybody', { era: newTokenEra() })
}

/**
 * Signs new tokens with a new secret.
 * @param isUrgent true also revokes all tokens of all accounts; false lets those of the old secret expire
 * @throws AppError `FORBIDDEN` if the secret is set by the environment
 */
export const rotateSecret = async (chat: Chat, secrets: Secrets, isUrgent: boolean): Promise<void> => {
  if (!secrets.rotate) {
    throw new AppError(
      'FORBIDDEN',
      'The secret is set by the environment. Set JWT_SECRET to a new secret and JWT_SECRET_PREVIOUS to the current one, then restart.',
    )
  }
  // First, so that a failure leaves no token in a cache or at a socket whose secret no longer verifies.
  if (isUrgent) await revokeEveryToken(chat)
  await secrets.rotate(isUrgent ? 0 : chat.config.TOKEN_TTL * 1000)
  await chat.writer.append('publishSecret', {})
}

/**
 * Stores a server key.
 * @param key `hash`: the SHA-256 of the key, in base64url
 * @throws AppError `VALIDATION_FAILED` if the name is not allowed or taken
 */
export const createServerKey = async (chat: Chat, key: { name: string; hash: string }): Promise<void> => {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(key.name))
    throw invalid('/name', 'must be 1 to 64 ASCII letters, digits, ".", "_" or "-"')
  await chat.writer.append('createServerKey', key)
}

/** Ends a server key on all servers. @throws AppError `VALIDATION_FAILED` if no key has the name */
export const revokeServerKey = (chat: Chat, name: string): Promise<void> =>
  chat.writer.append('revokeServerKey', { name })

/** @returns all server keys by name. Times are RFC 3339. */
export const listServerKeys = async (reader: Reader): Promise<{ name: string; created_at: string }[]> => {
  const rows = await reader.all(serverKeys, {})
  return rows.map(({ name, created_at }) => ({ name, created_at: timestamp(created_at) }))
}
