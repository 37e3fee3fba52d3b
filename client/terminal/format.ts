import type { Conversation, Message, Profile } from '../src/index.ts'

/**
 * Replaces control and bidirectional formatting characters, so that text of other users cannot move the cursor or write
 * to the clipboard. Indents the lines after the first one.
 */
export const plainText = (text: string) =>
  text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => (character === '\n' ? '\n  ' : '�'))

/** @returns the text that the terminal shows for a user */
export type ShowUser = (username: string) => string

/** @returns the name that commands take, and before it the display name, if there is one: `Bob Brown (bob)` */
export const userName = (username: string, { display_name }: Profile) =>
  plainText(display_name === undefined ? username : `${display_name} (${username})`)

/** @returns the name of a conversation: its peer, or `#3 Climbing` for a group */
export const conversationName = (
  { id, peer, title = '' }: Pick<Conversation, 'id' | 'peer' | 'title'>,
  showUser: ShowUser,
) => (peer === undefined ? plainText(`#${id} ${title}`.trim()) : showUser(peer))

export const conversationLine = (conversation: Conversation, showUser: ShowUser) => {
  const { unread_count, last_message } = conversation
  const unread = unread_count > 0 ? ` (${unread_count} new)` : ''
  const last = last_message ? `  ${showUser(last_message.sender)}: ${preview(last_message)}` : ''
  return `${conversationName(conversation, showUser)}${unread}${last}`
}

const preview = (message: Message) => contentOf(message).split('\n', 1)[0]?.slice(0, 60)

const contentOf = ({ content, deleted_at }: Message) => (deleted_at ? '(deleted)' : plainText(content))

/** @param conversation the name to show after the sender, unless it is the name of the sender. */
export const messageLine = (message: Message, conversation: string, showUser: ShowUser) => {
  const time = new Date(message.timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const sender = showUser(message.sender)
  const edited = message.edited_at && !message.deleted_at ? ' (edited)' : ''
  const receiver = conversation === sender ? '' : ` → ${conversation}`
  return `${time} ${sender}${receiver}: ${contentOf(message)}${edited}`
}
