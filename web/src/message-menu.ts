import type { Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import type { ComposerActions } from './composer.ts'
import { openConfirmation } from './dialog.ts'
import type { MessageLine } from './lines.ts'
import { type MenuItem, openMenu } from './menu.ts'
import type { Pending } from './store.ts'

type MenuOptions = {
  line: MessageLine
  /** The element that opens the menu. */
  button: HTMLElement
  /** The element that receives the focus when the menu closes. */
  returnFocus: HTMLElement
  composer: ComposerActions
  showMessage: (id: number) => Promise<void>
}

/** Opens the menu of a message. It contains only actions that the server accepts. */
export const openMessageMenu = (chat: Chat, options: MenuOptions) => {
  const { line, button, returnFocus } = options
  const items =
    line.kind === 'message' ? messageItems(chat, line.message, options) : pendingItems(chat, line.pending)
  if (items.length > 0) openMenu(button, items, returnFocus)
}

const messageItems = (chat: Chat, message: Message, { composer, showMessage }: MenuOptions): MenuItem[] => {
  const { reply_to } = message
  const isMine = message.sender_id === chat.store.me.id
  const hasContent = message.deleted_at === undefined
  const { canWrite } = chat
  return [
    ...(hasContent && canWrite
      ? [{ label: 'Reply', icon: 'reply', run: () => composer.reply(message) }]
      : []),
    ...(hasContent ? [{ label: 'Copy text', icon: 'copy', run: () => chat.copy(message.content) }] : []),
    ...(reply_to === undefined
      ? []
      : [{ label: 'Show original message', icon: 'search', run: () => void showMessage(reply_to) }]),
    ...(isMine && hasContent && canWrite
      ? [
          { label: 'Edit', icon: 'edit', run: () => composer.edit(message) },
          { label: 'Delete', icon: 'delete', isDangerous: true, run: () => confirmDelete(chat, message) },
        ]
      : []),
  ]
}

const confirmDelete = (chat: Chat, message: Message) =>
  openConfirmation(
    'Delete this message?',
    'This deletes the message for everyone in the conversation. You cannot undo it.',
    'Delete',
    () => chat.delete(message),
  )

const pendingItems = (chat: Chat, pending: Pending): MenuItem[] =>
  pending.problem === undefined
    ? []
    : [
        { label: 'Try again', icon: 'send', run: () => chat.retry(pending) },
        { label: 'Copy text', icon: 'copy', run: () => chat.copy(pending.content) },
        { label: 'Discard', icon: 'delete', isDangerous: true, run: () => chat.discard(pending) },
      ]
