import { checkUsername, foldName } from '../../db/names.ts'
import * as users from '../../db/queries/users.ts'
import { accountRemoved, ownedAccount, refuseSuspended } from '../../db/refusals.ts'
import type { LoginRequest, Session } from '../../schemas/account.ts'
import { AppError, fieldError } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { checkNewPassword, hashPassword, verifyPassword } from './passwords.ts'
import { networkOf } from './rate-limit.ts'
import { newTokenFamily, type Tokens } from './tokens.ts'

/**
 * Logs in by username. The password is required if the account has one or if AUTH_MODE is `password`. Creates the account
 * if it does not exist, unless REGISTRATION is `closed`. An account with an owner has no login here: only tokens of its owner log in.
 * @param address IP address of the client; logins are limited per address
 * @returns a new token
 * @throws AppError `RATE_LIMITED`, `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `VALIDATION_FAILED`, `FORBIDDEN`,
 *   `ACCOUNT_SUSPENDED`, `OVERLOADED`
 */
export const login = async (
  chat: Chat,
  tokens: Tokens,
  { username, password }: LoginRequest,
  address: string,
): Promise<Session> => {
  refuseExternal(chat)
  await chat.loginLimit(networkOf(address))
  const needsPassword = chat.config.AUTH_MODE === 'password'
  if (needsPassword && password === undefined) throw passwordRequired()
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (!user) {
    if (chat.config.REGISTRATION === 'closed') return refuseUnknown(needsPassword, password)
    const made = await ensureAccount(chat, username, password)
    // A concurrent login may have created the account first. Log in to that account then.
    return made.created ? tokens.issue(made.user) : login(chat, tokens, { username, password }, address)
  }
  if (user.owner !== null) return refuseOwned(password)
  if (needsPassword || user.password_hash !== null || user.removed_at !== null) {
    if (password === undefined) throw passwordRequired()
    const isCorrect = await verifyPassword(password, user.password_hash)
    if (!isCorrect || user.removed_at !== null) throw wrongCredentials()
  }
  refuseSuspended(user)
  return tokens.issue(user)
}

/** Only the owner of an account gives tokens to its user. The error is that of a wrong password, after the same time. */
const refuseOwned = async (password = ''): Promise<never> => {
  await verifyPassword(password, null)
  throw wrongCredentials()
}

/** @throws AppError `FORBIDDEN` if this server has no logins and no passwords */
export const refuseExternal = ({ config }: Chat) => {
  if (config.AUTH_MODE !== 'external') return
  throw new AppError(
    'FORBIDDEN',
    'This server has no logins and no passwords: AUTH_MODE is "external". Use a token of your app.',
  )
}

/** Where passwords are required, an unknown username gives the same error after the same time as a wrong password. */
const refuseUnknown = async (needsPassword: boolean, password = ''): Promise<never> => {
  if (!needsPassword) {
    throw new AppError(
      'FORBIDDEN',
      'This server does not create accounts at login. Check the name, or ask the operator for an account.',
    )
  }
  await verifyPassword(password, null)
  throw wrongCredentials()
}

/**
 * Creates an account, or returns the existing account of that name.
 * @returns the account, and whether this call created it
 * @throws AppError `VALIDATION_FAILED` if the name or the password is not allowed, `OVERLOADED`
 */
export const ensureAccount = async (chat: Chat, username: string, password: string | undefined) => {
  // Checked before the password is hashed, which costs far more.
  checkUsername(username, '/username', null)
  if (password !== undefined) checkNewPassword(password, chat.config.MIN_PASSWORD_LENGTH)
  return chat.writer.append('createUser', {
    username,
    password_hash: password === undefined ? null : await hashPassword(password),
    family: newTokenFamily(),
  })
}

const wrongCredentials = () => new AppError('INVALID_CREDENTIALS', 'The name or the password is wrong.')

const passwordRequired = () => new AppError('PASSWORD_REQUIRED', 'This account needs its password.')

/**
 * Sets or changes my password and revokes all my tokens except the current one.
 * @throws AppError `FORBIDDEN`, `RATE_LIMITED`, `OVERLOADED`; `VALIDATION_FAILED` if the new password is not allowed;
 *   `INVALID_CREDENTIALS` if the account has a password and `current_password` does not match it
 */
export const setPassword = async (
  chat: Chat,
  me: Identity,
  { password, current_password }: { password: string; current_password?: string | undefined },
): Promise<void> => {
  refuseKey(me, 'The user sets the password with a token, and keeps that token.')
  refuseExternal(chat)
  await chat.loginLimit(`user ${me.user_id}`)
  checkNewPassword(password, chat.config.MIN_PASSWORD_LENGTH)
  const user = await ownAccount(chat, me)
  if (user.password_hash !== null && !(await verifyPassword(current_password ?? '', user.password_hash))) {
    throw new AppError('INVALID_CREDENTIALS', 'current_password is wrong or missing.', {
      errors: [fieldError('/current_password', 'must be the current password of the account')],
    })
  }
  await chat.writer.append('setPassword', {
    user_id: me.user_id,
    checked_hash: user.password_hash,
    password_hash: await hashPassword(password),
    family: newTokenFamily(),
    kept_token: me.jti,
  })
}

/**
 * @returns a new token. The current token stays valid until it expires.
 * @throws AppError `FORBIDDEN` if somebody else gives tokens to the user; `RATE_LIMITED`: a token may be revoked later, and
 *   a revocation is stored for weeks
 */
export const renewToken = async (chat: Chat, tokens: Tokens, me: Identity): Promise<Session> => {
  refuseKey(me, 'Get a token of the user from POST /users/{username}/tokens.')
  await chat.loginLimit(`user ${me.user_id}`)
  return tokens.issue(await ownAccount(chat, me))
}

/**
 * Revokes my token, or all my tokens if `everywhere` is true, and closes their sockets.
 * @throws AppError `FORBIDDEN` for one token of a request that has none
 */
export const logout = async (
  chat: Chat,
  me: Identity,
  { everywhere }: { everywhere: boolean },
): Promise<void> => {
  if (!everywhere) refuseKey(me, 'End all tokens of the user with ?everywhere=true.')
  const { user_id, jti, expires } = me
  if (everywhere) await chat.writer.append('revokeAll', { user_id, family: newTokenFamily() })
  else await chat.writer.append('revokeToken', { user_id, jti, expires_at: expires })
}

/** @throws AppError `FORBIDDEN` if a server key sent the request, which therefore has no token */
const refuseKey = ({ key }: Identity, wayOut: string) => {
  if (key !== undefined) throw new AppError('FORBIDDEN', `A request by a server key has no token. ${wayOut}`)
}

/** @returns my account, if it logs in at this server. @throws AppError `FORBIDDEN` if it does not, `ACCOUNT_SUSPENDED` */
const ownAccount = async (chat: Chat, me: Identity) => {
  const user = await chat.reader.get(users.userById, { id: me.user_id })
  /* c8 ignore next -- race: the account was removed after its token was verified */
  if (user?.removed_at !== null) throw accountRemoved()
  refuseSuspended(user)
  if (user.owner !== null) throw ownedAccount()
  return user
}
