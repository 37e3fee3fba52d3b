import type { Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import type { Composing } from './composer.ts'
import { askFirst } from './dialog.ts'
import type { MessageLine } from './lines.ts'
import { type Choice, openMenu } from './menu.ts'
import type { Waiting } from './store.ts'

type Asked = {
  line: MessageLine
  button: HTMLElement
  home: HTMLElement
  compose: Composing
  show: (id: number) => Promise<void>
}

/** What may be done with a message: nothing is offered that the server would refuse. */
export const openMessageMenu = (chat: Chat, asked: Asked) => {
  const { line } = asked
  const choices =
    line.kind === 'message' ? choicesOf(chat, line.message, asked) : waitingChoices(chat, line.waiting)
  if (choices.length > 0) openMenu(asked.button, choices, asked.home)
}

const choicesOf = (chat: Chat, message: Message, { compose, show }: Asked): Choice[] => {
  const { reply_to } = message
  const isMine = message.sender_id === chat.store.me.id
  const isThere = message.deleted_at === undefined
  const canWrite = chat.canWrite()
  return [
    ...(isThere && canWrite ? [{ label: 'Reply', icon: 'reply', act: () => compose.reply(message) }] : []),
    ...(isThere ? [{ label: 'Copy text', icon: 'copy', act: () => chat.copy(message.content) }] : []),
    ...(reply_to === undefined
      ? []
      : [{ label: 'Show what it answers', icon: 'search', act: () => void show(reply_to) }]),
    ...(isMine && isThere && canWrite
      ? [
          { label: 'Edit', icon: 'edit', act: () => compose.edit(message) },
          { label: 'Delete', icon: 'delete', isDangerous: true, act: () => askToDelete(chat, message) },
        ]
      : []),
  ]
}

const askToDelete = (chat: Chat, message: Message) =>
  askFirst(
    'Delete this message?',
    'It goes from every device of everybody here, and stays gone.',
    'Delete',
    () => chat.remove(message),
  )

const waitingChoices = (chat: Chat, waiting: Waiting): Choice[] =>
  waiting.problem === undefined
    ? []
    : [
        { label: 'Try again', icon: 'send', act: () => chat.sendAgain(waiting) },
        { label: 'Copy text', icon: 'copy', act: () => chat.copy(waiting.content) },
        { label: 'Discard', icon: 'delete', isDangerous: true, act: () => chat.discard(waiting) },
      ]
