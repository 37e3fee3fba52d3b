import type { StoredMessage } from '../changes.ts'
import { AppError } from '../../src/errors.ts'
import * as members from '../queries/members.ts'
import * as messages from '../queries/messages.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'
import { actor, membership, messageNotFound, refuseBlocked } from './access.ts'
import { hashContent, withNames } from './send.ts'

export type Edit = { user_id: number; message_id: number; content: string }
/** `user_id` is null if the app deletes the message. */
export type Delete = { user_id: number | null; message_id: number }

/**
 * Replaces the content of the user's own message. The same content changes nothing.
 * @throws AppError `MESSAGE_NOT_FOUND`, `FORBIDDEN`, `BLOCKED`, `MESSAGE_DELETED`
 */
export const edit = (tx: Transaction, { user_id, message_id, content }: Edit): StoredMessage => {
  const { conversation, sender, original_hash, message } = ownMessage(tx, user_id, message_id)
  refuseBlocked(conversation)
  if (message.deleted_at !== null)
    throw new AppError('MESSAGE_DELETED', 'A deleted message cannot be edited.')
  if (message.content === content) return withNames(message, conversation, sender)
  const viewers = viewersOf(tx, conversation, message_id)
  const number = tx.next()
  const change = { content, edited_at: tx.now }
  tx.run(messages.editMessage, {
    ...message,
    ...change,
    number,
    original_hash: original_hash ?? hashContent(message.content),
  })
  const edited = withNames({ ...message, ...change }, conversation, sender)
  tx.publish(number, viewers, { type: 'message_updated', message: edited })
  return edited
}

/**
 * Deletes the content of the user's own message, or of any message for the app. The message keeps its id. A second deletion changes nothing.
 * @throws AppError `MESSAGE_NOT_FOUND`, `FORBIDDEN`
 */
export const remove = (tx: Transaction, { user_id, message_id }: Delete): StoredMessage => {
  const { conversation, sender, original_hash, message } =
    user_id === null ? anyMessage(tx, message_id) : ownMessage(tx, user_id, message_id)
  if (message.deleted_at !== null) return withNames(message, conversation, sender)
  const viewers = viewersOf(tx, conversation, message_id)
  const number = tx.next()
  tx.run(messages.deleteMessage, {
    ...message,
    deleted_at: tx.now,
    number,
    original_hash: original_hash ?? hashContent(message.content),
  })
  const deleted = withNames(
    { ...message, content: '', metadata: null, deleted_at: tx.now },
    conversation,
    sender,
  )
  tx.publish(number, viewers, { type: 'message_updated', message: deleted })
  return deleted
}

const ownMessage = (tx: Transaction, user_id: number, id: number) => {
  const { username } = actor(tx, user_id)
  const row = tx.get(messages.visibleMessage, { id, user_id })
  if (!row) throw messageNotFound()
  const { original_hash, ...message } = row
  if (message.sender_id !== user_id)
    throw new AppError('FORBIDDEN', 'Only the sender of a message may change it.')
  const { conversation } = membership(tx, user_id, message.conversation_id)
  return { conversation, sender: username, original_hash, message }
}

/** @returns a message of any conversation, for the app */
const anyMessage = (tx: Transaction, id: number) => {
  const row = tx.get(messages.messageById, { id })
  if (!row) throw messageNotFound('There is no message with this id.')
  const { original_hash, ...message } = row
  const conversation = tx.conversation(message.conversation_id) as Conversation
  const { username: sender } = tx.user(message.sender_id) as StoredUser
  return { conversation, sender, original_hash, message }
}

/** @returns the current members who may see the message: its id lies in one of their membership periods */
const viewersOf = (tx: Transaction, conversation: Conversation, id: number): readonly number[] => {
  if (conversation.kind === 'direct') return conversation.audience
  const isViewer = ({ user_id, from_number }: Member) => {
    if (from_number <= id) return true
    const earlier = tx.get(members.periodAt, { user_id, conversation_id: conversation.id, number: id })
    return earlier !== undefined && earlier.to_number >= id
  }
  return conversation.members.filter(isViewer).map(({ user_id }) => user_id)
}
