import { createHash } from 'node:crypto'
import type { Marks } from '../changes.ts'
import { AppError, fieldError } from '../../src/errors.ts'
import { packIds } from '../lists.ts'
import { foldName, unknownUser } from '../names.ts'
import * as conversations from '../queries/conversations.ts'
import * as members from '../queries/members.ts'
import * as users from '../queries/users.ts'
import { isSuspended } from '../refusals.ts'
import type { Conversation, Member, StoredUser, Transaction } from '../transaction.ts'
import { actor, blocked, isBlocking, memberOf, membership, namedUser } from './access.ts'
import { currentPeriod, type Period, publishTo } from './receipts.ts'

export type CreateGroup = {
  user_id: number
  title: string
  members: string[]
  /** JSON text. */
  metadata?: string | undefined
  /** Idempotency key, unique for the creator. */
  client_id?: string | undefined
}
/** `user_id`: the owner; null if the app makes a group without an owner. `key`: unique. */
export type PutGroup = Omit<CreateGroup, 'user_id' | 'client_id'> & { user_id: number | null; key: string }
/** Who changes a group: a member; null for the app, which may change every group. */
type Changer = { user_id: number | null }
/** An absent member stays as it is; null removes the metadata. */
export type ChangeGroup = Changer & {
  conversation_id: number
  title?: string | undefined
  metadata?: string | null | undefined
}
export type AddMember = Changer & {
  conversation_id: number
  username: string
  /** Absent: a new member gets the role `member`, and a current member keeps theirs. */
  role?: Member['role'] | undefined
  max_members: number
}
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
  return { id: make(tx, input, owner, { ...NO_KEY, ...key }), duplicate: false }
}

/**
 * Creates the group of a key, or finds it as it is, whatever the request says.
 * @throws AppError as `createGroup` does; with an owner also `BLOCKED`
 */
export const putGroup = (tx: Transaction, input: PutGroup): { id: number; duplicate: boolean } => {
  const owner = input.user_id === null ? undefined : actor(tx, input.user_id)
  const { key } = input
  const existing = tx.get(conversations.groupByKey, { key })
  if (existing) return { id: existing.id, duplicate: true }
  return { id: make(tx, input, owner, { ...NO_KEY, key }), duplicate: false }
}

/** How a repeated request finds the group. */
type Keys = {
  key: string | null
  creator_id: number | null
  client_id: string | null
  request_hash: Uint8Array | null
}
const NO_KEY: Keys = { key: null, creator_id: null, client_id: null, request_hash: null }

/** Creates a group of its owner, if it has one, and the named members. @returns its id */
const make = (
  tx: Transaction,
  { title, members: names, metadata }: Pick<CreateGroup, 'title' | 'members' | 'metadata'>,
  owner: StoredUser | undefined,
  keys: Keys,
): number => {
  const joining = new Map(owner && [[owner.id, owner]])
  for (const [index, name] of names.entries()) {
    const user = namedUser(tx, name, `/members/${index}`)
    if (joining.has(user.id)) continue
    if (owner && isBlocking(tx, user.id, owner.id)) throw blocked()
    joining.set(user.id, user)
  }
  const number = tx.next()
  const id = tx.nextConversation()
  tx.run(conversations.insertGroup, {
    id,
    title,
    metadata: metadata ?? null,
    member_count: joining.size,
    number,
    ...keys,
  })
  const byId = [...joining.values()].toSorted((a, b) => a.id - b.id)
  const conversation = tx.setConversation({
    id,
    kind: 'group',
    title,
    key: keys.key,
    metadata: metadata ?? null,
    low_id: null,
    high_id: null,
    blocked: false,
    members: byId.map((user) => join(tx, id, user, number, user === owner ? 'owner' : 'member')),
  })
  publish(tx, number, conversation, conversation.audience, [])
  return id
}

/** Identifies a request. The members are a set: their order, their case and the owner's own name do not matter. */
const requestKey = (
  owner: StoredUser,
  client_id: string,
  { title, members: names, metadata }: CreateGroup,
) => {
  const others = [...new Set(names.map(foldName))].filter((key) => key !== owner.username_key).toSorted()
  const request_hash = createHash('sha256')
    // Requests of an earlier version had no metadata.
    .update(JSON.stringify([title, others, ...(metadata === undefined ? [] : [metadata])]))
    .digest()
  return { creator_id: owner.id, client_id, request_hash }
}

/** Changes the title or the metadata. @throws AppError as `ownGroup` does */
export const changeGroup = (tx: Transaction, { user_id, conversation_id, ...change }: ChangeGroup): void => {
  const conversation = ownGroup(tx, user_id, conversation_id)
  const { title = conversation.title, metadata = conversation.metadata } = change
  if (conversation.title === title && conversation.metadata === metadata) return
  store(tx, { ...conversation, title, metadata }, { joined: [], left: [] })
}

/**
 * Adds a member, or changes the role of a current member. A role that the member already has changes nothing.
 * @throws AppError as `ownGroup` does; `USER_NOT_FOUND`, `BLOCKED`, `GROUP_FULL`; `FORBIDDEN` if the last owner would become a
 *   member, unless the app makes the change
 */
export const addMember = (tx: Transaction, input: AddMember): void => {
  const conversation = ownGroup(tx, input.user_id, input.conversation_id)
  const user = namedUser(tx, input.username, '/username')
  const current = memberOf(conversation, user.id)
  if (current) return setRole(tx, conversation, current, input)
  if (input.user_id !== null && isBlocking(tx, user.id, input.user_id)) throw blocked()
  if (conversation.members.length >= input.max_members) {
    throw new AppError('GROUP_FULL', `A group has at most ${input.max_members} members.`)
  }
  const earlier = tx.get(members.latestPeriod, { user_id: user.id, conversation_id: conversation.id })
  const number = tx.next()
  const member = join(tx, conversation.id, user, number, input.role ?? 'member', earlier)
  store(
    tx,
    { ...conversation, members: [...conversation.members, member] },
    { joined: [user.id], left: [] },
    number,
  )
}

const setRole = (
  tx: Transaction,
  conversation: Conversation,
  member: Member,
  { role = member.role, user_id }: AddMember,
) => {
  if (role === member.role) return
  if (role === 'member' && user_id !== null && ownersOf(conversation).length === 1) {
    throw new AppError(
      'FORBIDDEN',
      'This member is the only owner of the group. Make another member an owner first.',
    )
  }
  tx.run(members.setRole, { ...member, conversation_id: conversation.id, role })
  const changed = conversation.members.map((other) => (other === member ? { ...other, role } : other))
  store(tx, { ...conversation, members: changed }, { joined: [], left: [] })
}

const ownersOf = ({ members: all }: Pick<Conversation, 'members'>) =>
  all.filter(({ role }) => role === 'owner')

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

/** What `leave` needs to know. `successor`: the member who then becomes an owner. */
export type Leaving = {
  conversation: Conversation
  member: Member
  period: Period
  successor: Member | undefined
}

/** Looks up the current membership of a user in a group. */
export const findLeaving = (tx: Transaction, conversation: Conversation, user_id: number): Leaving => {
  const member = memberOf(conversation, user_id) as Member
  return {
    conversation,
    member,
    period: currentPeriod(tx, user_id, conversation.id),
    successor: findSuccessor(tx, conversation, member),
  }
}

/** @returns the member who becomes an owner when the last owner leaves: the oldest who is not suspended, else the oldest */
const findSuccessor = (tx: Transaction, { members: all }: Conversation, leaving: Member) => {
  const others = all.filter((other) => other !== leaving)
  if (leaving.role !== 'owner' || others.length === 0 || ownersOf({ members: others }).length > 0)
    return undefined
  const rows = tx.all(users.suspensionsOf, { ids: packIds(others.map(({ user_id }) => user_id)) })
  const suspended = new Set(rows.filter((row) => isSuspended(row, tx.now)).map(({ id }) => id))
  return others.find(({ user_id }) => !suspended.has(user_id)) ?? others[0]
}

/** Ends a membership. If the last owner leaves, the successor becomes an owner. */
export const leave = (
  tx: Transaction,
  { conversation, member, period, successor }: Leaving,
  max_group: number,
) => {
  // Marks that wait to be published belong to this period: after its end nothing publishes them.
  if (period.receipt_due === 1) publishTo(tx, conversation, member, period, max_group)
  const number = tx.next()
  const [id, title, count] = [conversation.id, conversation.title as string, conversation.members.length - 1]
  const { user_id, from_number } = member
  tx.run(members.endPeriod, { user_id, conversation_id: id, from_number, number, title, count })
  if (successor) tx.run(members.setRole, { ...successor, conversation_id: id, role: 'owner' })
  const others = conversation.members
    .filter((other) => other !== member)
    .map((other) => (other === successor ? { ...other, role: 'owner' as const } : other))
  store(tx, { ...conversation, members: others }, { joined: [], left: [user_id] }, number)
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

/** Stores and publishes the new state of a group. */
const store = (
  tx: Transaction,
  changed: Conversation,
  { joined, left }: { joined: number[]; left: number[] },
  number = tx.next(),
) => {
  const { id, title, metadata, members: current } = changed
  tx.run(conversations.setGroup, {
    id,
    title: title as string,
    metadata,
    member_count: current.length,
    number,
  })
  publish(tx, number, tx.setConversation(changed), joined, left)
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
    key: conversation.key,
    metadata: conversation.metadata,
    member_count: conversation.members.length,
    joined,
    left,
    owners: ownersOf(conversation).map(({ user_id }) => user_id),
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
  if (me.role !== 'owner') throw new AppError('FORBIDDEN', 'Only an owner of the group may do this.')
  return conversation
}
