import type { Reader } from '../../db/query.ts'
import { figures } from '../../db/queries/figures.ts'
import * as users from '../../db/queries/users.ts'
import { AppError, invalid } from '../errors.ts'
import type { Secrets } from '../secret.ts'
import type { Chat } from './context.ts'
import { timestamp } from './messages.ts'
import { hashPassword } from './passwords.ts'
import { newTokenFamily } from './tokens.ts'
import { foldName, unknownUser } from './usernames.ts'

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

const MAX_PASSWORD = 256

/**
 * Gives an account a password without asking for the last one; its tokens end.
 * @throws AppError `VALIDATION_FAILED`; Refusal `UNAUTHORIZED` when it is no more
 */
export const resetPassword = async (chat: Chat, user_id: number, password: string): Promise<void> => {
  if (password === '' || password.length > MAX_PASSWORD || !password.isWellFormed()) {
    throw invalid('/password', `must be 1 to ${MAX_PASSWORD} characters`)
  }
  await chat.writer.append('resetPassword', {
    user_id,
    password_hash: await hashPassword(password),
    family: newTokenFamily(),
  })
  chat.bus.signal({ type: 'tokens_ended', user_id })
}

/** Ends every token of an account. @throws Refusal `UNAUTHORIZED` when it is no more */
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
