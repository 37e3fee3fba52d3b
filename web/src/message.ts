import type { Message, Profile } from '@messenger/client'
import { avatar } from './avatar.ts'
import { icon, make, setAttributes } from './dom.ts'
import { excerpt, formatFullTime, formatTime, hue, isEmoji, splitLinks } from './format.ts'
import type { Progress } from './progress.ts'
import type { Pending, Store } from './store.ts'

/** The appearance of a message in the log. */
export type MessageView = {
  key: string
  id: number | undefined
  sender: string
  /** The display name and the picture of the sender. */
  profile: Profile
  content: string
  timestamp: string
  isMine: boolean
  isEdited: boolean
  isDeleted: boolean
  /** Whether the message is the first of a group by the same sender. */
  isFirst: boolean
  isInGroup: boolean
  progress: Progress | undefined
  problem: string | undefined
  quote: { id: number; sender: string; text: string } | undefined
}

const DELETED = 'This message was deleted'

const progressLabels: Record<Progress, string> = {
  pending: 'Waiting to be sent',
  failed: 'Not sent',
  sent: 'Sent',
  delivered: 'Delivered',
  read: 'Read',
}
const progressIcons: Record<Progress, string> = {
  pending: 'clock',
  failed: 'failed',
  sent: 'sent',
  delivered: 'read',
  read: 'read',
}

/** @returns the icon of a delivery state, with a label for screen readers */
export const tick = (progress: Progress) =>
  icon(progressIcons[progress], `tick is-${progress}`, progressLabels[progress])

export const messageView = (
  message: Message,
  rest: Pick<MessageView, 'profile' | 'isMine' | 'isFirst' | 'isInGroup' | 'progress' | 'quote'>,
): MessageView => ({
  key: message.client_id ?? `message-${message.id}`,
  id: message.id,
  sender: message.sender,
  content: message.content,
  timestamp: message.timestamp,
  isEdited: message.edited_at !== undefined,
  isDeleted: message.deleted_at !== undefined,
  problem: undefined,
  ...rest,
})

export const pendingView = (
  pending: Pending,
  rest: Pick<MessageView, 'sender' | 'profile' | 'isFirst' | 'quote'>,
): MessageView => ({
  key: pending.client_id,
  id: undefined,
  content: pending.content,
  timestamp: pending.timestamp,
  isMine: true,
  isEdited: false,
  isDeleted: false,
  isInGroup: false,
  progress: pending.problem === undefined ? 'pending' : 'failed',
  problem: pending.problem,
  ...rest,
})

/** Fingerprints of the bodies. A change of the delivery state alone keeps the text and its selection. */
const fingerprints = new WeakMap<HTMLElement, string>()

export const fillMessage = (element: HTMLElement, view: MessageView, store: Store) => {
  const { isMine, isFirst, isDeleted } = view
  const names = ['message', isMine && 'is-mine', isFirst && 'is-first', isDeleted && 'is-deleted']
  const isFound = element.classList.contains('is-found')
  element.className = [...names, isFound && 'is-found'].filter(Boolean).join(' ')
  setAttributes(element, { 'data-id': view.id })
  const fingerprint = JSON.stringify({
    ...view,
    isFirst: hasAvatar(view),
    progress: undefined,
    problem: undefined,
  })
  const bubble = element.querySelector('.bubble')
  if (bubble && fingerprints.get(element) === fingerprint) {
    bubble.querySelector('.meta')?.replaceWith(meta(view))
    return
  }
  fingerprints.set(element, fingerprint)
  element.replaceChildren(
    ...(view.isInGroup && !isMine ? [isFirst ? avatar(store, view.sender) : make('span')] : []),
    make(
      'div',
      { class: 'bubble' },
      view.isInGroup && !isMine && isFirst
        ? author(view)
        : make('span', { class: 'visually-hidden' }, `${isMine ? 'You' : nameOf(view)}: `),
      view.quote && quote(view.quote),
      text(view),
      meta(view),
    ),
    make(
      'button',
      {
        type: 'button',
        class: 'actions',
        'aria-label': 'Message actions',
        'aria-haspopup': 'menu',
        tabindex: -1,
      },
      icon('more'),
    ),
  )
}

const hasAvatar = ({ isInGroup, isMine, isFirst }: MessageView) => isInGroup && !isMine && isFirst

const nameOf = ({ sender, profile }: MessageView) => profile.display_name ?? sender

const author = (view: MessageView) => {
  const element = make('div', { class: 'author', title: view.sender }, nameOf(view))
  element.style.setProperty('--hue', String(hue(view.sender)))
  return element
}

const quote = ({ id, sender, text }: NonNullable<MessageView['quote']>) =>
  make(
    'button',
    { type: 'button', class: 'quote', 'data-quote': id, tabindex: -1 },
    make('strong', {}, sender),
    make('span', {}, excerpt(text)),
  )

const text = ({ content, isDeleted }: MessageView) => {
  if (isDeleted) return make('span', { class: 'text' }, DELETED)
  if (isEmoji(content)) return make('span', { class: 'text is-emoji' }, content)
  return make(
    'span',
    { class: 'text', dir: 'auto' },
    ...splitLinks(content).map((part) =>
      part.href === undefined
        ? part.text
        : make('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, part.text),
    ),
  )
}

const meta = ({ timestamp, isEdited, isDeleted, progress, problem }: MessageView) => {
  const date = new Date(timestamp)
  return make(
    'span',
    { class: 'meta' },
    problem,
    isEdited && !isDeleted && 'edited',
    make('time', { datetime: timestamp, title: formatFullTime(date) }, formatTime(date)),
    progress && !isDeleted && tick(progress),
  )
}

/** @returns the content of a message on one line */
export const summaryOf = ({ content, deleted_at }: Pick<Message, 'content' | 'deleted_at'>) =>
  deleted_at ? DELETED : excerpt(content)
