import { AppError, fieldError } from '../src/errors.ts'

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

/** For a user who was never a member. The error does not say whether the conversation exists. */
export const neverMember = (path?: string) =>
  new AppError('CONVERSATION_NOT_FOUND', 'You are in no conversation with this id.', at(path))

export const formerMember = (path?: string) =>
  new AppError('FORBIDDEN', 'You are no longer in this conversation.', at(path))

const at = (path: string | undefined) =>
  path === undefined ? {} : { errors: [fieldError(path, 'must be the id of a conversation that you are in')] }

export const noWebhook = () =>
  new AppError('WEBHOOK_NOT_FOUND', 'No webhook has this name. Create it with PUT /webhooks/{name}.')
