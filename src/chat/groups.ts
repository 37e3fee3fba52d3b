import { foldName, isUsername, unknownUser } from '../../db/names.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as memberRows from '../../db/queries/members.ts'
import {
  type Conversation,
  type GroupRequest,
  type MemberRole,
  memberRoles,
  type RenameRequest,
} from '../../schemas/conversation.ts'
import { metadataText } from './content.ts'
import type { Chat, Identity } from './context.ts'
import { AppError, fieldError, invalid } from '../errors.ts'
import { findConversation, getConversation, getGroup } from './conversations.ts'

/**
 * Creates a group with me as its owner.
 * @param request `members`: usernames; `metadata`: an object of the app; `client_id`: idempotency key, unique per creator
 * @returns the group; for a repeated (creator, client_id) the original group in its current state, and `duplicate`
 * @throws AppError `RATE_LIMITED`; `VALIDATION_FAILED` if a name is not allowed or there are too many members; and as the
 *   operation `createGroup`
 */
export const createGroup = async (
  chat: Chat,
  me: Identity,
  { title, members, metadata, client_id }: GroupRequest & { client_id?: string | undefined },
): Promise<{ group: Conversation; duplicate: boolean }> => {
  const weight = new Set([me.username, ...members].map(foldName)).size
  refuseTooMany(weight, chat.config.MAX_GROUP_MEMBERS)
  chat.changeLimit(me, weight)
  await refuseImpossibleNames(chat, members)
  const input = {
    user_id: me.user_id,
    title,
    members,
    metadata: metadata && metadataText(metadata),
    client_id,
  }
  const { id, duplicate } = await chat.writer.append('createGroup', input, { weight })
  return { group: await getConversation(chat, me, id), duplicate }
}

/**
 * Creates the group of a key of the app, or finds it as it is.
 * @param me the owner, on whose behalf the app makes the request; null for a group without an owner
 * @returns the group as `me` sees it, or as the app sees it if `me` was never a member; whether it existed
 * @throws AppError `VALIDATION_FAILED`, and as the operation `putGroup`
 */
export const putGroup = async (
  chat: Chat,
  me: Identity | null,
  { key, title, members, metadata }: GroupRequest & { key: string },
): Promise<{ group: Conversation; duplicate: boolean }> => {
  const weight = new Set([...(me ? [me.username] : []), ...members].map(foldName)).size
  refuseTooMany(weight, chat.config.MAX_GROUP_MEMBERS)
  await refuseImpossibleNames(chat, members)
  const input = {
    user_id: me && me.user_id,
    key,
    title,
    members,
    metadata: metadata && metadataText(metadata),
  }
  // A repeat is only a read, which needs no place in the queue of the writer.
  const existing = await chat.reader.get(conversations.groupByKey, { key })
  const { id, duplicate } = existing
    ? { id: existing.id, duplicate: true }
    : await chat.writer.append('putGroup', input, { weight })
  const group = (me && (await findConversation(chat, me, id))) ?? (await getGroup(chat, id))
  return { group, duplicate }
}

const refuseTooMany = (count: number, max: number) => {
  if (count <= max) return
  throw new AppError('VALIDATION_FAILED', `A group has at most ${max} members.`, {
    errors: [fieldError('/members', `must not make the group larger than ${max}`)],
  })
}

/** Checks the names before the write is queued. Names from an imported database may break the rule and stay usable. */
const refuseImpossibleNames = async (chat: Chat, names: readonly string[]) => {
  for (const [index, name] of names.entries()) {
    if (isUsername(name) || (await chat.idOf(chat.reader, foldName(name))) !== undefined) continue
    throw unknownUser(name, `/members/${index}`)
  }
}

/** Who changes a group: an owner or a leaving member; null for the app, which may change every group. */
type Changer = Identity | null

const showGroup = (chat: Chat, me: Changer, id: number): Promise<Conversation> =>
  me ? getConversation(chat, me, id) : getGroup(chat, id)

/**
 * Changes the title or the metadata of my group: an absent member stays as it is, and null removes the metadata.
 * @throws AppError `RATE_LIMITED`, `VALIDATION_FAILED`, and as the operation `changeGroup`
 */
export const changeGroup = async (
  chat: Chat,
  me: Changer,
  { conversation_id, title, metadata }: RenameRequest & { conversation_id: number },
): Promise<Conversation> => {
  const input = {
    user_id: me && me.user_id,
    conversation_id,
    title,
    metadata: metadata && metadataText(metadata),
  }
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('changeGroup', input, { weight })
  return showGroup(chat, me, conversation_id)
}

/**
 * Adds a user to my group, or changes the role of a member.
 * @param request `role`: absent for a new `member`, or to keep the role of a current one
 * @throws AppError `RATE_LIMITED`, `VALIDATION_FAILED`, and as the operation `addMember`
 */
export const addMember = async (
  chat: Chat,
  me: Changer,
  {
    conversation_id,
    username,
    role,
  }: { conversation_id: number; username: string; role?: MemberRole | undefined },
): Promise<Conversation> => {
  if (role !== undefined && !memberRoles.includes(role)) throw invalid('/role', 'must be owner or member')
  const input = {
    user_id: me && me.user_id,
    conversation_id,
    username,
    role,
    max_members: chat.config.MAX_GROUP_MEMBERS,
  }
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('addMember', input, { weight })
  return showGroup(chat, me, conversation_id)
}

/**
 * Removes a member from my group, or myself from any group.
 * @throws AppError `RATE_LIMITED`, and as the operation `removeMember`
 */
export const removeMember = async (
  chat: Chat,
  me: Changer,
  { conversation_id, username }: { conversation_id: number; username: string },
): Promise<void> => {
  const input = {
    user_id: me && me.user_id,
    conversation_id,
    username,
    max_group: chat.config.MAX_RECEIPT_GROUP,
  }
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('removeMember', input, { weight })
}

/**
 * Counts a change of a group against my rate limit. The cost is the number of members, or 1 if I am not a member: the limit
 * must not reveal the size of other groups.
 * @returns the cost
 */
const chargeForGroup = async (chat: Chat, me: Changer, conversation_id: number): Promise<number> => {
  const row = me
    ? await chat.reader.get(memberRows.memberCount, { user_id: me.user_id, conversation_id })
    : await chat.reader.get(conversations.groupById, { id: conversation_id })
  const weight = row?.member_count ?? 1
  if (me) chat.changeLimit(me, weight)
  return weight
}
