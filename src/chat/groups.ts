import { foldName, isUsername, unknownUser } from '../../db/names.ts'
import { OPEN } from '../../db/tables.ts'
import type { Conversation } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { AppError, fieldError } from '../errors.ts'
import { getConversation } from './conversations.ts'
import { latestPeriod } from './membership.ts'

/**
 * Makes a group of me, its owner, and the named.
 * @param request its `client_id` is my own key: the same key again is the same group
 * @returns the group, or for a repeat of (creator, client_id) the original one as it is now
 * @throws AppError `RATE_LIMITED`, `VALIDATION_FAILED` for too many members, and as `operations.createGroup` has it
 */
export const createGroup = async (
  chat: Chat,
  me: Identity,
  { title, members, client_id }: { title: string; members: string[]; client_id?: string | undefined },
): Promise<{ group: Conversation; duplicate: boolean }> => {
  const weight = new Set([me.username, ...members].map(foldName)).size
  refuseTooMany(weight, chat.config.MAX_GROUP_MEMBERS)
  chat.changeLimit(me.user_id, weight)
  await refuseImpossibleNames(chat, members)
  const input = { user_id: me.user_id, title, members, client_id }
  const { id, duplicate } = await chat.writer.append('createGroup', input, { weight })
  return { group: await getConversation(chat, me, id), duplicate }
}

const refuseTooMany = (count: number, max: number) => {
  if (count <= max) return
  throw new AppError('VALIDATION_FAILED', `A group has at most ${max} members.`, {
    errors: [fieldError('/members', `must not make the group larger than ${max}`)],
  })
}

/** Refuses a name that no user can have before it takes room in the queue. A taken-over database may have such users. */
const refuseImpossibleNames = async (chat: Chat, names: readonly string[]) => {
  for (const [index, name] of names.entries()) {
    if (isUsername(name) || (await chat.idOf(foldName(name))) !== undefined) continue
    throw unknownUser(name, `/members/${index}`)
  }
}

/** Gives my group another title. @throws AppError `RATE_LIMITED`, and as `operations.renameGroup` has it */
export const renameGroup = async (
  chat: Chat,
  me: Identity,
  { conversation_id, title }: { conversation_id: number; title: string },
): Promise<Conversation> => {
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('renameGroup', { user_id: me.user_id, conversation_id, title }, { weight })
  return getConversation(chat, me, conversation_id)
}

/** Adds somebody to my group. @throws AppError `RATE_LIMITED`, and as `operations.addMember` has it */
export const addMember = async (
  chat: Chat,
  me: Identity,
  { conversation_id, username }: { conversation_id: number; username: string },
): Promise<Conversation> => {
  const input = {
    user_id: me.user_id,
    conversation_id,
    username,
    max_members: chat.config.MAX_GROUP_MEMBERS,
  }
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('addMember', input, { weight })
  return getConversation(chat, me, conversation_id)
}

/** Takes a member out of my group, or me out of anyone's. @throws AppError `RATE_LIMITED`, and as `operations.removeMember` has it */
export const removeMember = async (
  chat: Chat,
  me: Identity,
  { conversation_id, username }: { conversation_id: number; username: string },
): Promise<void> => {
  const input = {
    user_id: me.user_id,
    conversation_id,
    username,
    max_group: chat.config.MAX_RECEIPT_GROUP,
  }
  const weight = await chargeForGroup(chat, me, conversation_id)
  await chat.writer.append('removeMember', input, { weight })
}

/**
 * Counts a change of a group against my limit: as the number of its members, as one where I am in no such group, so that
 * nobody learns the size of another's.
 * @returns the weight of the change
 */
const chargeForGroup = async (chat: Chat, me: Identity, conversation_id: number): Promise<number> => {
  const period = await latestPeriod(chat, me, conversation_id)
  const weight = period?.to_number === OPEN ? period.member_count : 1
  chat.changeLimit(me.user_id, weight)
  return weight
}
