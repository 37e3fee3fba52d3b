import type { Message } from '@messenger/client'
import { drawing, make, setAttributes } from './dom.ts'
import { face } from './faces.ts'
import type { Progress, Waiting } from './store.ts'
import { clock, excerpt, findLinks, fullTime, hue, isEmoji } from './words.ts'

/** A message as it stands in the log. */
export type Shown = {
  key: string
  id: number | undefined
  sender: string
  content: string
  timestamp: string
  isMine: boolean
  isEdited: boolean
  isDeleted: boolean
  /** The first of several by the same person. */
  isFirst: boolean
  /** Whether it shows who wrote it. */
  isInGroup: boolean
  progress: Progress | undefined
  problem: string | undefined
  quote: { id: number; sender: string; text: string } | undefined
}

export const DELETED = 'This message was deleted'

const progressWords: Record<Progress, string> = {
  waiting: 'Waiting to be sent',
  failed: 'Not sent',
  sent: 'Sent',
  delivered: 'Delivered',
  read: 'Read',
}
const progressDrawings: Record<Progress, string> = {
  waiting: 'clock',
  failed: 'failed',
  sent: 'sent',
  delivered: 'read',
  read: 'read',
}

/** How far a message has come, drawn and in a word. */
export const tick = (progress: Progress) =>
  drawing(progressDrawings[progress], `tick is-${progress}`, progressWords[progress])

export const shownMessage = (
  message: Message,
  rest: Pick<Shown, 'isMine' | 'isFirst' | 'isInGroup' | 'progress' | 'quote'>,
): Shown => ({
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

export const shownWaiting = (waiting: Waiting, rest: Pick<Shown, 'sender' | 'isFirst' | 'quote'>): Shown => ({
  key: waiting.client_id,
  id: undefined,
  content: waiting.content,
  timestamp: waiting.timestamp,
  isMine: true,
  isEdited: false,
  isDeleted: false,
  isInGroup: false,
  progress: waiting.problem === undefined ? 'waiting' : 'failed',
  problem: waiting.problem,
  ...rest,
})

/** What the body looked like; a new tick alone leaves the text, and what is selected in it, as it is. */
const bodies = new WeakMap<HTMLElement, string>()

export const fillMessage = (element: HTMLElement, shown: Shown) => {
  const { isMine, isFirst, isDeleted } = shown
  const names = ['message', isMine && 'is-mine', isFirst && 'is-first', isDeleted && 'is-deleted']
  const isFound = element.classList.contains('is-found')
  element.className = [...names, isFound && 'is-found'].filter(Boolean).join(' ')
  setAttributes(element, { 'data-id': shown.id })
  const look = JSON.stringify({ ...shown, isFirst: hasFace(shown), progress: undefined, problem: undefined })
  const bubble = element.querySelector('.bubble')
  if (bubble && bodies.get(element) === look) {
    bubble.querySelector('.meta')?.replaceWith(meta(shown))
    return
  }
  bodies.set(element, look)
  element.replaceChildren(
    ...(shown.isInGroup && !isMine ? [isFirst ? face(shown.sender) : make('span')] : []),
    make(
      'div',
      { class: 'bubble' },
      shown.isInGroup && !isMine && isFirst
        ? author(shown.sender)
        : make('span', { class: 'visually-hidden' }, `${isMine ? 'You' : shown.sender}: `),
      shown.quote && quote(shown.quote),
      text(shown),
      meta(shown),
    ),
    make(
      'button',
      {
        type: 'button',
        class: 'actions',
        'aria-label': 'What to do with this message',
        'aria-haspopup': 'menu',
        tabindex: -1,
      },
      drawing('more'),
    ),
  )
}

const hasFace = ({ isInGroup, isMine, isFirst }: Shown) => isInGroup && !isMine && isFirst

const author = (name: string) => {
  const element = make('div', { class: 'author' }, name)
  element.style.setProperty('--hue', String(hue(name)))
  return element
}

const quote = ({ id, sender, text }: NonNullable<Shown['quote']>) =>
  make(
    'button',
    { type: 'button', class: 'quote', 'data-quote': id, tabindex: -1 },
    make('strong', {}, sender),
    make('span', {}, excerpt(text)),
  )

const text = ({ content, isDeleted }: Shown) => {
  if (isDeleted) return make('span', { class: 'text' }, DELETED)
  if (isEmoji(content)) return make('span', { class: 'text is-emoji' }, content)
  return make(
    'span',
    { class: 'text', dir: 'auto' },
    ...findLinks(content).map((part) =>
      part.href === undefined
        ? part.text
        : make('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, part.text),
    ),
  )
}

const meta = ({ timestamp, isEdited, isDeleted, progress, problem }: Shown) => {
  const date = new Date(timestamp)
  return make(
    'span',
    { class: 'meta' },
    problem,
    isEdited && !isDeleted && 'edited',
    make('time', { datetime: timestamp, title: fullTime(date) }, clock(date)),
    progress && !isDeleted && tick(progress),
  )
}
