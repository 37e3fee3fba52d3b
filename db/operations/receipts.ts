import type { Marks } from '../changes.ts'
import * as members from '../queries/members.ts'
import * as messages from '../queries/messages.ts'
import type { Conversation, Member, Transaction } from '../transaction.ts'
import { actor, memberOf, membership } from './access.ts'

export type Mark = {
  user_id: number
  conversation_id: number
  delivered_up_to?: number | undefined
  read_up_to?: number | undefined
  /** False within a second after the last publication: the change then waits for the operation `announce`. */
  announce: boolean
  /** The largest group, in members, in which marks are published to all members. */
  max_group: number
}

export type Announce = { user_id: number; conversation_id: number; max_group: number }

export type Marked = Marks & { conversation_id: number; username: string }

/**
 * Moves the user's marks: forward only, and at most to the newest message. A read message is also delivered.
 * @throws AppError as `membership` does
 */
export const mark = (tx: Transaction, input: Mark): Marked => {
  const { username } = actor(tx, input.user_id)
  const { conversation_id, user_id } = input
  const { conversation } = membership(tx, user_id, conversation_id)
  const period = currentPeriod(tx, user_id, conversation_id)
  const newest = tx.get(messages.newestMessage, { conversation_id })?.id ?? 0
  const clamp = (mark = 0) => Math.min(mark, newest)
  const read_up_to = Math.max(period.read_up_to, clamp(input.read_up_to))
  const delivered_up_to = Math.max(period.delivered_up_to, clamp(input.delivered_up_to), read_up_to)
  const marks = { conversation_id, username, delivered_up_to, read_up_to }
  if (read_up_to !== period.read_up_to || delivered_up_to !== period.delivered_up_to) {
    const number = tx.next()
    tx.run(members.setMarks, {
      user_id,
      from_number: period.from_number,
      ...marks,
      number,
      due: input.announce ? 0 : 1,
    })
    // An empty audience still gives the sending device its ack in the order of the other frames.
    const audience = input.announce ? receiptAudience(conversation, user_id, input.max_group) : []
    tx.publish(number, audience, { type: 'receipt', ...marks })
  }
  return marks
}

/**
 * Publishes marks that changed since their last publication, under a new number. A device whose cursor is already past the
 * number of the change receives them too.
 */
export const announce = (tx: Transaction, { user_id, conversation_id, max_group }: Announce): void => {
  const conversation = tx.conversation(conversation_id)
  const period = currentPeriod(tx, user_id, conversation_id)
  if (!conversation || period?.receipt_due !== 1) return
  const me = memberOf(conversation, user_id)
  if (me) publishTo(tx, conversation, me, period, max_group)
}

/** Publishes the marks of a member to those who may see them. */
export const publishTo = (
  tx: Transaction,
  conversation: Conversation,
  { user_id, username }: Member,
  period: Period,
  max_group: number,
) => publishMarks(tx, period, username, receiptAudience(conversation, user_id, max_group))

/** Gives every change of marks that the stopped server did not publish a new number. */
export const announceDue = (tx: Transaction): void => {
  const periods = tx
    .all(members.dueReceipts, {})
    .map(({ user_id, conversation_id }) => currentPeriod(tx, user_id, conversation_id))
  for (const period of periods) publishMarks(tx, period, '', [])
}

/** Gives the marks of a period a new number and publishes them to `audience`. */
export const publishMarks = (
  tx: Transaction,
  period: Period,
  username: string,
  audience: readonly number[],
) => {
  const { user_id, conversation_id, from_number, delivered_up_to, read_up_to } = period
  const number = tx.next()
  tx.run(members.setMarks, {
    user_id,
    conversation_id,
    from_number,
    delivered_up_to,
    read_up_to,
    number,
    due: 0,
  })
  tx.publish(number, audience, { type: 'receipt', conversation_id, username, delivered_up_to, read_up_to })
}

export type Period = (typeof members.latestPeriod)['row'] & object

/** @returns the latest membership period of a user in a conversation, which must exist */
export const currentPeriod = (tx: Transaction, user_id: number, conversation_id: number) =>
  tx.get(members.latestPeriod, { user_id, conversation_id }) as Period

/** @returns the users who see the marks of a member: in a large group or during a block, only that member */
const receiptAudience = (
  conversation: Conversation,
  user_id: number,
  max_group: number,
): readonly number[] =>
  conversation.blocked || (conversation.kind === 'group' && conversation.members.length > max_group)
    ? [user_id]
    : conversation.audience
