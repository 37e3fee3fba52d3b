import { createHash } from 'node:crypto'
import { nameMessage, type StoredMessage } from '../changes.ts'
import { AppError, fieldError } from '../../src/errors.ts'
import * as conversations from '../queries/conversations.ts'
import * as members from '../queries/members.ts'
import * as messages from '../queries/messages.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'
import { actor, membership, namedUser, refuseBlocked, refuseBlockedPair } from './access.ts'

export type Send = {
  sender_id: number
  /** Either this or `conversation_id` is given. */
  receiver_username?: string | undefined
  conversation_id?: number | undefined
  content: string
  client_id?: string | undefined
  reply_to?: number | undefined
  /** JSON text. */
  metadata?: string | undefined
}

export type Sent = { message: StoredMessage; duplicate: boolean }

/**
 * Stores a message. For a duplicate, returns the original message, even if the sender has left
 * the conversation or a block was made since.
 * @throws AppError `IDEMPOTENCY_KEY_REUSED` if the key was used for another message; `MESSAGE_NOT_FOUND` if `reply_to` is
 *   not in the conversation; as `membership`, `namedUser` and `refuseBlocked` do
 */
export const send = (tx: Transaction, input: Send): Sent => {
  const sender = actor(tx, input.sender_id)
  let target: Target
  try {
    target = findTarget(tx, sender, input)
    checkReplyTo(tx, target.conversation, input)
  } catch (error) {
    // The insert detects a duplicate. Only an operation that fails, or would create a conversation, looks up the key.
    const original = findOriginal(tx, sender, input)
    if (original) return original
    throw error
  }
  // Without a conversation, a used key belongs to another message: this throws.
  if (!target.conversation) findOriginal(tx, sender, input)

  const conversation = target.conversation ?? makeDirect(tx, sender, target.receiver)
  const row = {
    id: tx.last + 1,
    conversation_id: conversation.id,
    sender_id: sender.id,
    content: input.content,
    timestamp: tx.now,
    client_id: input.client_id ?? null,
    reply_to: input.reply_to ?? null,
    metadata: input.metadata ?? null,
  }
  if (!target.conversation || row.client_id === null) tx.run(messages.insertMessage, row)
  else if (!tx.insertNew(messages.insertMessage, messages.messageByClientId, row))
    return findOriginal(tx, sender, input) as Sent
  const id = tx.next()
  const message = withNames({ ...row, edited_at: null, deleted_at: null }, conversation, sender.username)
  tx.publish(id, conversation.audience, { type: 'message', message })
  return { message, duplicate: false }
}

type Target =
  | { conversation: Conversation; receiver?: never }
  | { conversation: undefined; receiver: StoredUser }

const findTarget = (tx: Transaction, sender: StoredUser, input: Send): Target => {
  if (input.conversation_id !== undefined) {
    const { conversation } = membership(tx, sender.id, input.conversation_id, '/conversation_id')
    refuseBlocked(conversation)
    if (conversation.kind === 'direct') refuseRemoved(tx, conversation, sender)
    return { conversation }
  }
  const receiver = namedUser(tx, input.receiver_username as string, '/receiver_username')
  const conversation = tx.directConversation(sender.id, receiver.id)
  if (conversation) {
    refuseBlocked(conversation)
    return { conversation }
  }
  refuseBlockedPair(tx, sender.id, receiver.id)
  return { conversation, receiver }
}

const refuseRemoved = (tx: Transaction, conversation: Conversation, sender: StoredUser) => {
  const peer = tx.user(
    conversation.low_id === sender.id ? (conversation.high_id as number) : (conversation.low_id as number),
  )
  if (peer?.removed_at !== null) throw new AppError('FORBIDDEN', 'The account of the other user was removed.')
}

const checkReplyTo = (
  tx: Transaction,
  conversation: Conversation | undefined,
  { reply_to, sender_id }: Send,
) => {
  if (reply_to === undefined) return
  const original = tx.get(messages.visibleMessage, { id: reply_to, user_id: sender_id })
  if (!conversation || original?.conversation_id !== conversation.id) {
    throw new AppError('MESSAGE_NOT_FOUND', 'reply_to is not the id of a message of this conversation.', {
      errors: [fieldError('/reply_to', 'must be the id of a message of this conversation')],
    })
  }
}

/** @returns the message that was first sent with this key, in its current state */
const findOriginal = (tx: Transaction, sender: StoredUser, input: Send): Sent | undefined => {
  if (input.client_id === undefined) return undefined
  const row = tx.get(messages.messageByClientId, { client_id: input.client_id, sender_id: sender.id })
  if (!row) return undefined
  const receiver = input.receiver_username === undefined ? undefined : tx.userByName(input.receiver_username)
  const conversation_id = receiver ? tx.directConversation(sender.id, receiver.id)?.id : input.conversation_id
  const { original_hash, ...message } = row
  const isSameContent = original_hash
    ? hashContent(input.content).equals(original_hash)
    : input.content === message.content
  if (
    conversation_id !== message.conversation_id ||
    !isSameContent ||
    (input.reply_to ?? null) !== message.reply_to
  ) {
    throw new AppError('IDEMPOTENCY_KEY_REUSED', 'Another message was sent under this key.', {
      errors: [fieldError('/client_id', 'was used for another message')],
    })
  }
  return {
    message: withNames(message, tx.conversation(message.conversation_id) as Conversation, sender.username),
    duplicate: true,
  }
}

const makeDirect = (tx: Transaction, sender: StoredUser, receiver: StoredUser): Conversation => {
  const number = tx.next()
  const [low, high] = sender.id < receiver.id ? [sender, receiver] : [receiver, sender]
  const pair = low === high ? [low] : [low, high]
  const id = tx.nextConversation()
  tx.run(conversations.insertConversation, {
    id,
    kind: 'direct',
    low_id: low.id,
    high_id: high.id,
    title: null,
    member_count: pair.length,
    number,
  })
  const joined = pair.map((user): Member => {
    const member = { user_id: user.id, role: 'member' } as const
    tx.run(members.insertMember, {
      ...member,
      conversation_id: id,
      number,
      delivered_up_to: 0,
      read_up_to: 0,
      announced_at: 0,
    })
    return { ...member, username: user.username, from_number: number }
  })
  const conversation = tx.setConversation({
    id,
    kind: 'direct',
    title: null,
    key: null,
    metadata: null,
    low_id: low.id,
    high_id: high.id,
    // A block between the two would have been refused.
    blocked: false,
    members: joined,
  })
  tx.publish(number, conversation.audience, {
    type: 'conversation',
    conversation_id: id,
    kind: 'direct',
    title: null,
    key: null,
    metadata: null,
    member_count: pair.length,
    joined: conversation.audience,
    left: [],
    owners: [],
    pair: conversation.members.map(({ user_id, username }) => ({ user_id, username })),
  })
  return conversation
}

/** Adds the names of the sender and of the receiver to a message of `conversation`. */
export const withNames = (
  row: Omit<StoredMessage, 'sender' | 'receiver' | 'receiver_id'>,
  conversation: Conversation,
  sender: string,
): StoredMessage =>
  nameMessage(row, conversation, (id) =>
    id === row.sender_id
      ? sender
      : (conversation.members.find(({ user_id }) => user_id === id) as Member).username,
  )

/** Hash of the original content. Detects a repeated send after an edit or deletion. */
export const hashContent = (content: string) => createHash('sha256').update(content).digest()
