import { foldName, unknownUser } from '../../db/names.ts'
import type { Reader } from '../../db/query.ts'
import { figures } from '../../db/queries/figures.ts'
import * as users from '../../db/queries/users.ts'
import type { User } from '../../schemas/account.ts'
import { AppError, invalid } from '../errors.ts'
import type { Secrets } from './secrets.ts'
import { makeAccount } from './accounts.ts'
import type { Chat } from './context.ts'
import { timestamp } from './messages.ts'
import { checkNewPassword, hashPassword } from './passwords.ts'
import { newTokenFamily } from './tokens.ts'

/** An account as its operator sees it. */
export type Account = {
  id: number
  username: string
  has_password: boolean
  created_at: string
  removed_at?: string
}

/** @returns accounts whose name begins with `prefix`, by name, those that were removed too. */
export const listAccounts = async (
  reader: Reader,
  { prefix, limit }: { prefix: string; limit: number },
): Promise<Account[]> => {
  const from = foldName(prefix)
  const rows = await reader.all(users.accounts, { from, to: `${from}\u{10ffff}`, limit })
  return rows.map(({ id, username, password_hash, created_at, removed_at }) => ({
    id,
    username,
    has_password: password_hash !== null,
    created_at: timestamp(created_at),
    ...(removed_at !== null && { removed_at: timestamp(removed_at) }),
  }))
}

/** @returns how much there is of everything. */
export const countAll = async (reader: Reader) =>
  (await reader.get(figures, {})) as NonNullable<(typeof figures)['row']>

/** @returns the id of a living account. @throws AppError `USER_NOT_FOUND` */
export const accountNamed = async (chat: Chat, username: string): Promise<number> => {
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (!user || user.removed_at !== null) throw unknownUser(username, '/username')
  return user.id
}

/**
 * Makes an account, whether logins may make one or not.
 * @param password absent: the account has none, and its name is enough to log in
 * @throws AppError `VALIDATION_FAILED` for the name, a name that is taken, or the password; `PASSWORD_REQUIRED`
 */
export const createAccount = async (
  chat: Chat,
  { username, password }: { username: string; password?: string },
): Promise<User> => {
  if (password === undefined && chat.config.AUTH_MODE === 'password') {
    throw new AppError('PASSWORD_REQUIRED', 'AUTH_MODE is "password": a new account needs a password.')
  }
  const { user, created } = await makeAccount(chat, username, password)
  if (!created) throw invalid('/username', 'is taken (a removed account keeps its name); choose another')
  return { id: user.id, username: user.username }
}

/**
 * Gives an account a password without asking for the last one; its tokens end.
 * @throws AppError `VALIDATION_FAILED`; AppError `UNAUTHORIZED` when it is no more
 */
export const resetPassword = async (chat: Chat, user_id: number, password: string): Promise<void> => {
  checkNewPassword(password, chat.config.MIN_PASSWORD_LENGTH)
  await chat.writer.append('resetPassword', {
    user_id,
    password_hash: await hashPassword(password),
    family: newTokenFamily(),
  })
  chat.bus.signal({ type: 'tokens_ended', user_id })
}

/** Ends every token of an account. @throws AppError `UNAUTHORIZED` when it is no more */
export const revokeTokens = async (chat: Chat, user_id: number): Promise<void> => {
  await chat.writer.append('revokeAll', { user_id, family: newTokenFamily() })
  chat.bus.signal({ type: 'tokens_ended', user_id })
}

/** Ends every token there is. */
export const revokeEveryToken = async (chat: Chat): Promise<void> => {
  await chat.writer.append('revokeEverybody', { family: newTokenFamily() })
  chat.bus.signal({ type: 'all_tokens_ended' })
}

/**
 * Has tokens signed with a new secret.
 * @param isUrgent whether what the last one signed ends now, and not by itself
 * @throws AppError `FORBIDDEN` when the secret came with the environment
 */
export const rotateSecret = (chat: Chat, secrets: Secrets, isUrgent: boolean): void => {
  if (!secrets.rotate(isUrgent ? 0 : chat.config.TOKEN_TTL * 1000)) {
    throw new AppError(
      'FORBIDDEN',
      'The secret comes with the environment: set JWT_SECRET to a new one and JWT_SECRET_PREVIOUS to this one, and restart.',
    )
  }
  if (isUrgent) chat.bus.signal({ type: 'all_tokens_ended' })
}
