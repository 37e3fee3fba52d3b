import { createHash } from 'node:crypto'
import type { Marks } from '../changes.ts'
import { AppError, fieldError } from '../../src/errors.ts'
import { foldName, unknownUser } from '../names.ts'
import * as conversations from '../queries/conversations.ts'
import * as members from '../queries/members.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'
import { actor, blocked, isBlocking, memberOf, membership, namedUser } from './access.ts'
import { currentPeriod, type Period, publishTo } from './receipts.ts'

export type CreateGroup = {
  user_id: number
  title: string
  members: string[]
  /** Idempotency key, unique for the creator. */
  client_id?: string | undefined
}
/** Who changes a group: a member; null for the app, which may change every group. */
type Changer = { user_id: number | null }
export type RenameGroup = Changer & { conversation_id: number; title: string }
export type AddMember = Changer & { conversation_id: number; username: string; max_members: number }
export type RemoveMember = Changer & {
  conversation_id: number
  username: string
  /** The largest group, in members, in which marks are published to all members. */
  max_group: number
}

/**
 * Creates a group of the acting user, its owner, and the named members. For a duplicate request, returns the original group
 * before it looks up names and blocks.
 * @throws AppError `IDEMPOTENCY_KEY_REUSED` if the key was used with another title or other members; `USER_NOT_FOUND`,
 *   `VALIDATION_FAILED` for a name that breaks the rule, `BLOCKED`
 */
export const createGroup = (tx: Transaction, input: CreateGroup): { id: number; duplicate: boolean } => {
  const owner = actor(tx, input.user_id)
  const key = input.client_id === undefined ? undefined : requestKey(owner, input.client_id, input)
  const original = key && tx.get(conversations.groupByClientId, key)
  if (original) {
    if (key.request_hash.equals(original.request_hash as Uint8Array))
      return { id: original.id, duplicate: true }
    throw new AppError(
      'IDEMPOTENCY_KEY_REUSED',
      'Another group was requested under this key. Use a new key for each group.',
      { errors: [fieldError('/headers/idempotency-key', 'was used for another group')] },
    )
  }
  const joining = new Map([[owner.id, owner]])
  for (const [index, name] of input.members.entries()) {
    const user = namedUser(tx, name, `/members/${index}`)
    if (joining.has(user.id)) continue
    if (isBlocking(tx, user.id, owner.id)) throw blocked()
    joining.set(user.id, user)
  }
  const number = tx.next()
  const id = tx.nextConversation()
  tx.run(conversations.insertGroup, {
    id,
    title: input.title,
    member_count: joining.size,
    number,
    creator_id: null,
    client_id: null,
    request_hash: null,
    ...key,
  })
  const byId = [...joining.values()].toSorted((a, b) => a.id - b.id)
  const conversation = tx.setConversation({
    id,
    kind: 'group',
    title: input.title,
    low_id: null,
    high_id: null,
    blocked: false,
    members: byId.map((user) => join(tx, id, user, number, user === owner ? 'owner' : 'member')),
  })
  publish(tx, number, conversation, conversation.audience, [])
  return { id, duplicate: false }
}

/** Identifies a request. The members are a set: their order, their case and the owner's own name do not matter. */
const requestKey = (owner: StoredUser, client_id: string, { title, members: names }: CreateGroup) => {
  const others = [...new Set(names.map(foldName))].filter((key) => key !== owner.username_key).toSorted()
  const request_hash = createHash('sha256')
    .update(JSON.stringify([title, others]))
    .digest()
  return { creator_id: owner.id, client_id, request_hash }
}

/** @throws AppError as `ownGroup` does */
export const renameGroup = (tx: Transaction, { user_id, conversation_id, title }: RenameGroup): void => {
  const conversation = ownGroup(tx, user_id, conversation_id)
  if (conversation.title === title) return
  const number = tx.next()
  tx.run(conversations.setGroup, {
    id: conversation.id,
    title,
    member_count: conversation.members.length,
    number,
  })
  publish(tx, number, tx.setConversation({ ...conversation, title }), [], [])
}

/**
 * Adds a member. Adding a current member changes nothing.
 * @throws AppError as `ownGroup` does; `USER_NOT_FOUND`, `BLOCKED`, `GROUP_FULL`
 */
export const addMember = (tx: Transaction, input: AddMember): void => {
  const conversation = ownGroup(tx, input.user_id, input.conversation_id)
  const user = namedUser(tx, input.username, '/username')
  if (memberOf(conversation, user.id)) return
  if (input.user_id !== null && isBlocking(tx, user.id, input.user_id)) throw blocked()
  if (conversation.members.length >= input.max_members) {
    throw new AppError('GROUP_FULL', `A group has at most ${input.max_members} members.`)
  }
  const earlier = tx.get(members.latestPeriod, { user_id: user.id, conversation_id: conversation.id })
  const number = tx.next()
  const member = join(tx, conversation.id, user, number, 'member', earlier)
  const member_count = conversation.members.length + 1
  tx.run(conversations.setGroup, {
    id: conversation.id,
    title: conversation.title as string,
    member_count,
    number,
  })
  publish(
    tx,
    number,
    tx.setConversation({ ...conversation, members: [...conversation.members, member] }),
    [user.id],
    [],
  )
}

/**
 * Removes a member, who may be the acting user.
 * @throws AppError as `ownGroup` does, if the member is another user; `USER_NOT_FOUND` if the name is of no member
 */
export const removeMember = (
  tx: Transaction,
  { user_id, conversation_id, username, max_group }: RemoveMember,
): void => {
  const isMe = user_id !== null && actor(tx, user_id).username_key === foldName(username)
  const conversation = isMe
    ? group(tx, user_id, conversation_id).conversation
    : ownGroup(tx, user_id, conversation_id)
  const member = memberOf(conversation, tx.userByName(username)?.id ?? 0)
  if (!member) throw unknownUser(username, '/username', 'No member of the group has this name.')
  leave(tx, findLeaving(tx, conversation, member.user_id), max_group)
}

/** What `leave` needs to know. */
export type Leaving = { conversation: Conversation; member: Member; period: Period }

/** Looks up the current membership of a user in a group. */
export const findLeaving = (tx: Transaction, conversation: Conversation, user_id: number): Leaving => ({
  conversation,
  member: memberOf(conversation, user_id) as Member,
  period: currentPeriod(tx, user_id, conversation.id),
})

/** Ends a membership. If the owner leaves, the oldest other member becomes the owner. */
export const leave = (tx: Transaction, { conversation, member, period }: Leaving, max_group: number) => {
  // Marks that wait to be published belong to this period: after its end nothing publishes them.
  if (period.receipt_due === 1) publishTo(tx, conversation, member, period, max_group)
  const number = tx.next()
  const [id, title, count] = [conversation.id, conversation.title as string, conversation.members.length - 1]
  const { user_id, from_number } = member
  tx.run(members.endPeriod, { user_id, conversation_id: id, from_number, number, title, count })
  tx.run(conversations.setGroup, { id, title, member_count: count, number })
  const others = conversation.members.filter((other) => other !== member)
  const [successor] = others
  if (member.role === 'owner' && successor) {
    tx.run(members.makeOwner, { ...successor, conversation_id: id })
    others[0] = { ...successor, role: 'owner' }
  }
  publish(tx, number, tx.setConversation({ ...conversation, members: others }), [], [user_id])
}

const join = (
  tx: Transaction,
  conversation_id: number,
  { id: user_id, username }: StoredUser,
  number: number,
  role: Member['role'],
  /** The marks of the previous period, and when they were published. */
  marks: Marks & { announced_at: number } = { delivered_up_to: 0, read_up_to: 0, announced_at: 0 },
): Member => {
  const { delivered_up_to, read_up_to, announced_at } = marks
  tx.run(members.insertMember, {
    user_id,
    conversation_id,
    number,
    role,
    delivered_up_to,
    read_up_to,
    announced_at,
  })
  return { user_id, username, role, from_number: number }
}

/** Publishes the change to the current members and to those who left by it. */
const publish = (
  tx: Transaction,
  number: number,
  conversation: Conversation,
  joined: readonly number[],
  left: number[],
) => {
  tx.publish(number, [...conversation.audience, ...left], {
    type: 'conversation',
    conversation_id: conversation.id,
    kind: 'group',
    title: conversation.title,
    member_count: conversation.members.length,
    joined,
    left,
    pair: [],
  })
}

const group = (tx: Transaction, user_id: number, conversation_id: number) => {
  actor(tx, user_id)
  const found = membership(tx, user_id, conversation_id)
  if (found.conversation.kind !== 'group') throw notGroup('This conversation is not a group.')
  return found
}

const notGroup = (detail: string) => new AppError('CONVERSATION_NOT_FOUND', detail)

/** @throws AppError as `membership` does; `CONVERSATION_NOT_FOUND` if it is no group, `FORBIDDEN` unless the user owns it or is the app */
const ownGroup = (tx: Transaction, user_id: number | null, conversation_id: number): Conversation => {
  if (user_id === null) {
    const conversation = tx.conversation(conversation_id)
    if (conversation?.kind !== 'group') throw notGroup('There is no group with this id.')
    return conversation
  }
  const { conversation, me } = group(tx, user_id, conversation_id)
  if (me.role !== 'owner') throw new AppError('FORBIDDEN', 'Only the owner of the group may do this.')
  return conversation
}
