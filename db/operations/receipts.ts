import { ANNOUNCE_INTERVAL_MS, type Marks } from '../changes.ts'
import * as members from '../queries/members.ts'
import * as messages from '../queries/messages.ts'
import type { Conversation, Member, Transaction } from '../transaction.ts'
import { actor, memberOf, membership } from './access.ts'

export type Mark = {
  user_id: number
  conversation_id: number
  delivered_up_to?: number | undefined
  read_up_to?: number | undefined
  /** The largest group, in members, in which marks are published to all members. */
  max_group: number
}

export type Announce = { user_id: number; conversation_id: number; max_group: number }

export type Marked = Marks & { conversation_id: number; username: string }

/**
 * Moves the user's marks: forward only, and at most to the newest message. A read message is also delivered. Publishes them unless
 * they were published within the last second. They then wait for `announceOverdue`.
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
    const moved = { ...period, ...marks }
    if (mayAnnounce(tx, period)) {
      publishMarks(tx, moved, username, receiptAudience(conversation, user_id, input.max_group))
    } else {
      const number = store(tx, moved, { due: 1, announced_at: period.announced_at })
      // An empty audience still gives the sending device its ack in the order of the other frames.
      tx.publish(number, [], { type: 'receipt', ...marks })
    }
  }
  return marks
}

/**
 * Publishes marks that changed since their last publication, under a new number. A device whose cursor is already past the
 * number of the change receives them too.
 * @returns whether there were any
 */
const announce = (tx: Transaction, { user_id, conversation_id, max_group }: Announce): boolean => {
  const conversation = tx.conversation(conversation_id)
  const period = currentPeriod(tx, user_id, conversation_id)
  const me = conversation && memberOf(conversation, user_id)
  if (!me || period?.receipt_due !== 1) return false
  publishTo(tx, conversation, me, period, max_group)
  return true
}

/** Publishes the marks of a member to those who may see them. */
export const publishTo = (
  tx: Transaction,
  conversation: Conversation,
  { user_id, username }: Member,
  period: Period,
  max_group: number,
) => publishMarks(tx, period, username, receiptAudience(conversation, user_id, max_group))

/**
 * Does the same if the last publication was a second ago. Another process may have found the same marks and have published them
 * first: then they no longer wait, or not for long enough.
 * @returns whether it published them
 */
export const announceOverdue = (tx: Transaction, input: Announce): boolean => {
  const period = currentPeriod(tx, input.user_id, input.conversation_id)
  return period !== undefined && mayAnnounce(tx, period) && announce(tx, input)
}

/** A publication in the future was before the clock was set back. Marks must not wait until then. */
const mayAnnounce = ({ now }: Transaction, { announced_at }: Period) =>
  announced_at > now || now - announced_at >= ANNOUNCE_INTERVAL_MS

/** Gives the marks of a period a new number and publishes them to `audience`. */
export const publishMarks = (
  tx: Transaction,
  period: Period,
  username: string,
  audience: readonly number[],
) => {
  const { conversation_id, delivered_up_to, read_up_to } = period
  const number = store(tx, period, { due: 0, announced_at: tx.now })
  tx.publish(number, audience, { type: 'receipt', conversation_id, username, delivered_up_to, read_up_to })
}

/** Stores the marks of a period under a new number. @returns the number */
const store = (tx: Transaction, period: Period, publication: { due: 0 | 1; announced_at: number }) => {
  const { user_id, conversation_id, from_number, delivered_up_to, read_up_to } = period
  const number = tx.next()
  tx.run(members.setMarks, {
    user_id,
    conversation_id,
    from_number,
    delivered_up_to,
    read_up_to,
    number,
    ...publication,
  })
  return number
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
