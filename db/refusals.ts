import { AppError, fieldError } from '../src/errors.ts'

/*
 * The refusals of both the operations and the use cases of src/chat/: a read and a write of the same thing are refused with
 * the same error. `path` is the JSON pointer at which the request names the conversation, if it does.
 */

export const accountRemoved = () => new AppError('UNAUTHORIZED', 'This account was removed.')

/** For a user who was never a member. The error does not say whether the conversation exists. */
export const neverMember = (path?: string) =>
  new AppError('CONVERSATION_NOT_FOUND', 'You are in no conversation with this id.', at(path))

export const formerMember = (path?: string) =>
  new AppError('FORBIDDEN', 'You are no longer in this conversation.', at(path))

const at = (path: string | undefined) =>
  path === undefined ? {} : { errors: [fieldError(path, 'must be the id of a conversation that you are in')] }
