import type { Conversation } from '../../schemas/conversation.ts'
import type { Chat, Identity } from './context.ts'
import { getConversation } from './conversations.ts'
import { explainNames, foldName } from './usernames.ts'

/** Makes a group of me, its owner, and the named. @throws Refusal as `operations.createGroup` has it */
export const createGroup = async (
  chat: Chat,
  me: Identity,
  { title, members }: { title: string; members: string[] },
): Promise<Conversation> => {
  const input = {
    user_id: me.user_id,
    title,
    member_keys: members.map(foldName),
    max_members: chat.config.MAX_GROUP_MEMBERS,
  }
  const id = await chat.writer
    .append('createGroup', input)
    .catch(explainNames(Object.fromEntries(members.map((name, index) => [`/members/${index}`, name]))))
  return getConversation(chat, me, id)
}

/** Gives my group another title. @throws Refusal as `operations.renameGroup` has it */
export const renameGroup = async (
  chat: Chat,
  me: Identity,
  { conversation_id, title }: { conversation_id: number; title: string },
): Promise<Conversation> => {
  await chat.writer.append('renameGroup', { user_id: me.user_id, conversation_id, title })
  return getConversation(chat, me, conversation_id)
}

/** Adds somebody to my group. @throws Refusal as `operations.addMember` has it */
export const addMember = async (
  chat: Chat,
  me: Identity,
  { conversation_id, username }: { conversation_id: number; username: string },
): Promise<Conversation> => {
  const input = {
    user_id: me.user_id,
    conversation_id,
    member_key: foldName(username),
    max_members: chat.config.MAX_GROUP_MEMBERS,
  }
  await chat.writer.append('addMember', input).catch(explainNames({ '/username': username }))
  return getConversation(chat, me, conversation_id)
}

/** Takes a member out of my group, or me out of anyone's. @throws Refusal as `operations.removeMember` has it */
export const removeMember = async (
  chat: Chat,
  me: Identity,
  { conversation_id, username }: { conversation_id: number; username: string },
): Promise<void> => {
  const input = {
    user_id: me.user_id,
    conversation_id,
    member_key: foldName(username),
    max_group: chat.config.MAX_RECEIPT_GROUP,
  }
  await chat.writer.append('removeMember', input).catch(explainNames({ '/username': username }))
}
