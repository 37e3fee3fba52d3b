import { AppError, fieldError } from '../src/errors.ts'
import { OPEN } from './tables.ts'

/*
 * The errors that both the operations and the use cases of src/chat/ throw, so that a read and a write are refused alike.
 * `path` is the JSON pointer of the conversation's id in the body of the request; undefined if the body does not contain it.
 */

export const accountRemoved = () => new AppError('UNAUTHORIZED', 'This account was removed.')

/** For an account whose user the app vouches for: it has no password here, and its tokens come from the app. */
export const ownedAccount = () =>
  new AppError(
    'FORBIDDEN',
    'This account does not log in here, so it has no password, and its tokens are not renewed. Get a new token from the app.',
  )

/** The end of a suspension in milliseconds since 1970, `OPEN` without an end, and the reason for the user; null: none. */
export type Suspension = { suspended_until: number | null; suspended_reason: string | null }

export const isSuspended = ({ suspended_until }: Suspension, now = Date.now()) =>
  suspended_until !== null && suspended_until > now

/** @throws AppError `ACCOUNT_SUSPENDED` if the account is suspended at `now`, in milliseconds since 1970 */
export const refuseSuspended = (account: Suspension, now?: number) => {
  if (!isSuspended(account, now)) return
  const { suspended_until, suspended_reason } = account
  const end = suspended_until === OPEN ? '' : ` until ${new Date(suspended_until as number).toISOString()}`
  throw new AppError('ACCOUNT_SUSPENDED', `This account is suspended${end}. Reason: ${suspended_reason}`)
}

/** For a user who was never a member. The error does not say whether the conversation exists. */
export const neverMember = (path?: string) =>
  new AppError('CONVERSATION_NOT_FOUND', 'You are in no conversation with this id.', at(path))

export const formerMember = (path?: string) =>
  new AppError('FORBIDDEN', 'You are no longer in this conversation.', at(path))

const at = (path: string | undefined) =>
  path === undefined ? {} : { errors: [fieldError(path, 'must be the id of a conversation that you are in')] }

export const noWebhook = () =>
  new AppError('WEBHOOK_NOT_FOUND', 'No webhook has this name. Create it with PUT /webhooks/{name}.')
