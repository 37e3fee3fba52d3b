import { checkUsername, foldName } from '../../db/names.ts'
import * as users from '../../db/queries/users.ts'
import type { LoginRequest, Session } from '../../schemas/account.ts'
import { AppError, fieldError } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { checkNewPassword, hashPassword, verifyPassword } from './passwords.ts'
import { networkOf } from './rate-limit.ts'
import { newTokenFamily, type Tokens, unauthorized } from './tokens.ts'

/**
 * Logs in by name, with the password where the account has one or the server wants one; makes the account if absent,
 * unless `REGISTRATION` is closed.
 * @param address whose logins are counted
 * @throws AppError `RATE_LIMITED`, `PASSWORD_REQUIRED`, `INVALID_CREDENTIALS`, `VALIDATION_FAILED`, `FORBIDDEN`
 */
export const login = async (
  chat: Chat,
  tokens: Tokens,
  { username, password }: LoginRequest,
  address: string,
): Promise<Session> => {
  chat.loginLimit(networkOf(address))
  const needsPassword = chat.config.AUTH_MODE === 'password'
  if (needsPassword && password === undefined) throw passwordRequired()
  const user = await chat.reader.get(users.userByKey, { key: foldName(username) })
  if (!user) {
    if (chat.config.REGISTRATION === 'closed') return refuseUnknown(needsPassword, password)
    const made = await makeAccount(chat, username, password)
    // Somebody took the name meanwhile.
    return made.created ? tokens.issue(made.user) : login(chat, tokens, { username, password }, address)
  }
  if (needsPassword || user.password_hash !== null || user.removed_at !== null) {
    if (password === undefined) throw passwordRequired()
    const isRight = await verifyPassword(password, user.password_hash)
    if (!isRight || user.removed_at !== null) throw wrongCredentials()
  }
  return tokens.issue(user)
}

/** Where passwords are needed, an unknown name looks and takes as long as a wrong password. */
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
 * Makes an account, or finds the one that has the name by now.
 * @throws AppError `VALIDATION_FAILED` for a name or a password that breaks its rule, `OVERLOADED`
 */
export const makeAccount = async (chat: Chat, username: string, password: string | undefined) => {
  // Checked before the password is hashed, which costs far more.
  checkUsername(username, '/username')
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
 * Sets or changes my password; my other tokens end.
 * @throws AppError `RATE_LIMITED`; `VALIDATION_FAILED` for the new one; `INVALID_CREDENTIALS` for a wrong `current_password`, which an account with a password needs
 */
export const setPassword = async (
  chat: Chat,
  me: Identity,
  { password, current_password }: { password: string; current_password?: string | undefined },
): Promise<void> => {
  chat.loginLimit(`user ${me.user_id}`)
  checkNewPassword(password, chat.config.MIN_PASSWORD_LENGTH)
  const user = await account(chat, me)
  if (user.password_hash !== null && !(await verifyPassword(current_password ?? '', user.password_hash))) {
    throw new AppError('INVALID_CREDENTIALS', 'current_password is wrong or missing.', {
      errors: [fieldError('/current_password', 'must be the password as it is now')],
    })
  }
  await chat.writer.append('setPassword', {
    user_id: me.user_id,
    checked_hash: user.password_hash,
    password_hash: await hashPassword(password),
    family: newTokenFamily(),
    kept_token: me.jti,
  })
  chat.bus.signal({ type: 'tokens_ended', user_id: me.user_id, except: me.jti })
}

/**
 * @returns a fresh token; the one that asked goes on until it ends.
 * @throws AppError `RATE_LIMITED`: each token can become a revocation, which is stored for weeks
 */
export const renewToken = async (chat: Chat, tokens: Tokens, me: Identity): Promise<Session> => {
  chat.loginLimit(`user ${me.user_id}`)
  return tokens.issue(await account(chat, me))
}

/** Ends my token, or every token of mine; their sockets close. */
export const logout = async (
  chat: Chat,
  me: Identity,
  { everywhere }: { everywhere: boolean },
): Promise<void> => {
  const { user_id, jti, expires } = me
  if (everywhere) {
    await chat.writer.append('revokeAll', { user_id, family: newTokenFamily() })
    chat.bus.signal({ type: 'tokens_ended', user_id })
  } else {
    await chat.writer.append('revokeToken', { user_id, jti, expires_at: expires })
    chat.bus.signal({ type: 'tokens_ended', user_id, jti })
  }
}

const account = async (chat: Chat, me: Identity) => {
  const user = await chat.reader.get(users.userById, { id: me.user_id })
  /* c8 ignore next -- removed between the look at its token and this one: a race */
  if (user?.removed_at !== null) throw unauthorized('This account is no more.')
  return user
}
