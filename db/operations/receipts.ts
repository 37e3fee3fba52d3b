import type { Marks } from '../changes.ts'
import * as members from '../queries/members.ts'
import * as messages from '../queries/messages.ts'
import type { Conversation, Transaction } from '../transaction.ts'
import { actor, memberOf, membership } from './access.ts'

export type Mark = {
  user_id: number
  conversation_id: number
  delivered_up_to?: number | undefined
  read_up_to?: number | undefined
  /** False while the last announcement is younger than a second: the change then waits for `announce`. */
  announce: boolean
  /** Members up to which everybody in a group is told. */
  max_group: number
}

export type Announce = { user_id: number; conversation_id: number; max_group: number }

export type Marked = Marks & { conversation_id: number; username: string }

/**
 * Moves one's marks: forward only, not past the newest message, and what is read is delivered.
 * @throws AppError what `membership` refuses
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
    // Nobody else is told now, but the device that moved the marks has its ack in its place among the other frames.
    const audience = input.announce ? receiptAudience(conversation, user_id, input.max_group) : []
    tx.publish(number, audience, { type: 'receipt', ...marks })
  }
  return marks
}

/**
 * Announces marks that moved since the last announcement, under a number of now: a device whose cursor is already past
 * the number of the change must still learn of it.
 */
export const announce = (tx: Transaction, { user_id, conversation_id, max_group }: Announce): void => {
  const conversation = tx.conversation(conversation_id)
  const period = currentPeriod(tx, user_id, conversation_id)
  if (!conversation || period?.receipt_due !== 1) return
  const me = memberOf(conversation, user_id)
  if (me) publishMarks(tx, period, me.username, receiptAudience(conversation, user_id, max_group))
}

/** Gives every change that a stopped server had not announced yet a number of its own. */
export const announceDue = (tx: Transaction): void => {
  for (const { user_id, conversation_id } of tx.all(members.dueReceipts, {})) {
    publishMarks(tx, currentPeriod(tx, user_id, conversation_id), '', [])
  }
}

/** Renumbers the marks of a period as they are, and tells `audience`. */
export const publishMarks = (
  tx: Transaction,
  period: (typeof members.latestPeriod)['row'] & object,
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

const currentPeriod = (tx: Transaction, user_id: number, conversation_id: number) =>
  tx.get(members.latestPeriod, { user_id, conversation_id }) as (typeof members.latestPeriod)['row'] & object

/** Those who may see a person's marks: in a large group, and across a block, only that person's own devices. */
const receiptAudience = (
  conversation: Conversation,
  user_id: number,
  max_group: number,
): readonly number[] =>
  conversation.blocked || (conversation.kind === 'group' && conversation.members.length > max_group)
    ? [user_id]
    : conversation.audience
