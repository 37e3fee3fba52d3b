import type { Marks } from '../changes.ts'
import { invalid } from '../../src/errors.ts'
import { unknownUser } from '../names.ts'
import * as blocks from '../queries/blocks.ts'
import * as members from '../queries/members.ts'
import type { Conversation, StoredUser, Transaction } from '../transaction.ts'
import { actor, isBlocking, namedUser } from './access.ts'
import { currentPeriod, publishMarks } from './receipts.ts'

export type Block = { user_id: number; username: string }

export type Blocked = { username: string; blocked_at: number }

/**
 * Blocks a user in the direct conversation with the acting user. Freezes the marks that each sees of the other.
 * @throws AppError `USER_NOT_FOUND`, `VALIDATION_FAILED` for the acting user's own name
 */
export const block = (tx: Transaction, { user_id, username }: Block): Blocked => {
  const me = actor(tx, user_id)
  const other = namedUser(tx, username, '/username')
  if (other.id === me.id) throw invalid('/username', 'must be the name of another user')
  const pair = { blocker_id: me.id, blocked_id: other.id }
  const standing = tx.get(blocks.blockOf, pair)
  if (standing) return { username: other.username, blocked_at: standing.created_at }
  const reverse = tx.get(blocks.blockOf, { blocker_id: other.id, blocked_id: me.id })
  const conversation = tx.directConversation(me.id, other.id)
  const marks = reverse ?? frozenMarks(tx, conversation, me, other)
  tx.run(blocks.insertBlock, { ...marks, ...pair, now: tx.now })
  if (conversation) tx.setConversation({ ...conversation, blocked: true })
  publishBlock(tx, me, other, conversation)
  return { username: other.username, blocked_at: tx.now }
}

/**
 * Ends a block. If no block between the two is left, publishes the marks that changed during the block.
 * @throws AppError `USER_NOT_FOUND`
 */
export const unblock = (tx: Transaction, { user_id, username }: Block): void => {
  const me = actor(tx, user_id)
  const other = tx.userByName(username)
  if (!other) throw unknownUser(username, '/username')
  const pair = { blocker_id: me.id, blocked_id: other.id }
  const standing = tx.get(blocks.blockOf, pair)
  if (!standing) return
  const blocked = isBlocking(tx, other.id, me.id)
  const conversation = tx.directConversation(me.id, other.id)
  const periods = blocked ? [] : periodsOf(tx, conversation)
  tx.run(blocks.deleteBlock, pair)
  if (conversation) tx.setConversation({ ...conversation, blocked })
  publishBlock(tx, me, other, conversation)
  for (const { member, period } of periods) {
    if (period.receipt_number > standing.number)
      publishMarks(
        tx,
        period,
        member.username,
        periods.map((one) => one.member.user_id),
      )
  }
}

const publishBlock = (tx: Transaction, me: StoredUser, other: StoredUser, conversation?: Conversation) =>
  tx.publish(tx.next(), [], {
    type: 'block',
    user_ids: [me.id, other.id],
    conversation_id: conversation?.id ?? null,
  })

const periodsOf = (tx: Transaction, conversation: Conversation | undefined) =>
  (conversation?.members ?? []).map((member) => ({
    member,
    period: currentPeriod(tx, member.user_id, (conversation as Conversation).id),
  }))

const frozenMarks = (
  tx: Transaction,
  conversation: Conversation | undefined,
  a: StoredUser,
  b: StoredUser,
) => {
  const marks = ({ id }: StoredUser): Marks =>
    (conversation && tx.get(members.latestPeriod, { user_id: id, conversation_id: conversation.id })) ?? {
      delivered_up_to: 0,
      read_up_to: 0,
    }
  const [low, high] = a.id < b.id ? [marks(a), marks(b)] : [marks(b), marks(a)]
  return {
    number: tx.last,
    low_delivered: low.delivered_up_to,
    low_read: low.read_up_to,
    high_delivered: high.delivered_up_to,
    high_read: high.read_up_to,
  }
}
