import type { Conversation, Message, Messenger } from '../src/index.ts'

/** Tells on the error output when the connection is lost, and when it is back. */
export const showConnection = (messenger: Messenger, url: string) => {
  let isLost = false
  messenger.on('state', ({ state }) => {
    if (state === 'waiting' && !isLost) {
      isLost = true
      console.error(`(no connection to ${url}; what you write is sent when it is back)`)
    } else if (state === 'online' && isLost) {
      isLost = false
      console.error('(connected)')
    }
  })
}

/** Text from people must not move the cursor or write to the clipboard. */
export const plain = (text: string) =>
  text.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (character) => (character === '\n' ? '\n  ' : '�'))

/** @returns what a conversation is called: `bob`, or `#3 Climbing` */
export const nameOf = ({ id, peer, title = '' }: Pick<Conversation, 'id' | 'peer' | 'title'>) =>
  plain(peer ?? `#${id} ${title}`.trim())

export const conversationLine = (conversation: Conversation) => {
  const { unread_count, last_message } = conversation
  const unread = unread_count > 0 ? ` (${unread_count} new)` : ''
  const last = last_message ? `  ${plain(last_message.sender)}: ${preview(last_message)}` : ''
  return `${nameOf(conversation)}${unread}${last}`
}

const preview = (message: Message) => contentOf(message).split('\n', 1)[0]?.slice(0, 60)

const contentOf = ({ content, deleted_at }: Message) => (deleted_at ? '(deleted)' : plain(content))

/** @param place the conversation's name, where it is not the sender's own */
export const messageLine = (message: Message, place: string) => {
  const time = new Date(message.timestamp).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const sender = plain(message.sender)
  const edited = message.edited_at && !message.deleted_at ? ' (edited)' : ''
  return `${time} ${sender}${place === sender ? '' : ` → ${place}`}: ${contentOf(message)}${edited}`
}
