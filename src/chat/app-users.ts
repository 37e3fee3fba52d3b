import type { Session, User } from '../../schemas/account.ts'
import type { TokenRequest, UserRequest } from '../../schemas/app-users.ts'
import { foldName, unknownUser } from '../../db/names.ts'
import { refuseSuspended } from '../../db/refusals.ts'
import * as users from '../../db/queries/users.ts'
import { AppError, invalid } from '../errors.ts'
import { accountNamed, revokeTokens } from './administration.ts'
import type { Chat } from './context.ts'
import type { Issuers } from './issuers.ts'
import { toProfileChange, toUser } from './profiles.ts'
import { removeAccount } from './removal.ts'
import { newTokenFamily, type Tokens } from './tokens.ts'

/**
 * Creates an account that belongs to the app or to one of its issuers, or changes the profile of any account.
 * @param request `null` removes a member of the profile, an absent member stays
 * @throws AppError `VALIDATION_FAILED`, and as the operation `putUser`
 */
export const putUser = async (
  chat: Chat,
  issuers: Issuers,
  username: string,
  request: UserRequest,
): Promise<User> => {
  const { issuer, ...profile } = request
  const owner = issuer === undefined ? undefined : issuers.get(issuer)?.owner
  if (issuer !== undefined && owner === undefined)
    throw invalid('/issuer', 'must be an issuer of TOKEN_ISSUERS')
  const change = toProfileChange(profile)
  return toUser(await chat.writer.append('putUser', { username, family: newTokenFamily(), change, owner }))
}

/** Removes an account as its user can. @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED` */
export const removeUser = (chat: Chat, username: string): Promise<void> =>
  withAccount(chat, username, removeAccount)

/** Revokes all tokens of an account. @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED` */
export const logOutUser = (chat: Chat, username: string): Promise<void> =>
  withAccount(chat, username, revokeTokens)

/** An account that is removed while a request for it runs is not found. `UNAUTHORIZED` would blame the server key. */
const withAccount = async (
  chat: Chat,
  username: string,
  run: (chat: Chat, user_id: number) => Promise<void>,
): Promise<void> => {
  const id = await accountNamed(chat, username)
  try {
    await run(chat, id)
  } catch (error) {
    /* c8 ignore next -- only storage fails otherwise, and when is a race */
    if (!(error instanceof AppError) || error.code !== 'UNAUTHORIZED') throw error
    throw unknownUser(username, '/username')
  }
}

/**
 * @param request `expires_in`: lifetime in seconds, by default `TOKEN_TTL`
 * @returns a new token of an account
 * @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED`, `ACCOUNT_SUSPENDED`
 */
export const issueToken = async (
  chat: Chat,
  tokens: Tokens,
  username: string,
  { expires_in }: TokenRequest,
): Promise<Session> => {
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (!user || user.removed_at !== null) throw unknownUser(username, '/username')
  refuseSuspended(user)
  return tokens.issue(user, expires_in)
}
