import type { Conversation, Message } from '@messenger/client'
import type { Chat } from './chat.ts'
import { byId, make, reconcile, setText } from './dom.ts'
import { renderHead } from './head.ts'
import { linesOf } from './lines.ts'
import { fillMessage } from './message.ts'
import { openMessageMenu } from './message-menu.ts'
import { type Place, samePlace, titleOf } from './store.ts'
import { list } from './words.ts'

/** Pixels from an end at which one counts as being there. */
const NEAR = 60
/** Pixels from the top at which older messages are asked for. */
const AHEAD = 800

/** The open conversation: its messages, what stands between them, and where in it one is. */
export const createThread = (chat: Chat, { compose }: { compose: Composing }) => {
  const { store } = chat
  const [log, messages, jump] = [byId('log'), byId('messages'), byId('jump')]
  let shownPlace: Place | undefined
  let isPlaced = false
  /** Whether new messages are followed, because one is at the end. */
  let isAtEnd = true
  /** Messages past it were unread when one came. */
  let unreadFrom: number | undefined

  const render = () => {
    const { place, current } = store
    byId('empty').hidden = place !== undefined
    byId('open').hidden = place === undefined
    if (!place) {
      shownPlace = undefined
      return
    }
    if (!samePlace(place, shownPlace)) {
      shownPlace = place
      isPlaced = false
      unreadFrom = undefined
      messages.replaceChildren()
    }
    if (current && !isPlaced && unreadFrom === undefined && current.unread_count > 0)
      unreadFrom = current.read_up_to
    renderHead(store, place, current)
    renderLog(place, current)
    renderTyping(current)
  }

  const renderLog = (place: Place, current: Conversation | undefined) => {
    const thread = current && store.threads.get(current.id)
    byId('older').hidden = !thread?.hasOlder
    const isBeginning = !current || (thread?.isLoaded && !thread.hasOlder)
    byId('beginning').hidden = !isBeginning
    setText(byId('beginning'), beginning(place, current))
    const anchor = isPlaced && !isAtEnd ? firstVisible() : undefined
    reconcile(messages, linesOf(chat, place, current, unreadFrom), {
      key: ({ key }) => key,
      look: (line) => JSON.stringify(line),
      make: ({ kind }) =>
        kind === 'message'
          ? make('li', { class: 'message', tabindex: -1 })
          : make('li', { class: kind === 'day' ? 'day' : 'unread-line' }),
      fill: (element, line) => {
        if (line.kind === 'message') fillMessage(element, line)
        else setText(element, line.text)
      },
    })
    if (anchor) log.scrollTop += anchor.element.offsetTop - log.scrollTop - anchor.offset
    else if (isPlaced) scrollToEnd()
    else if (!current || thread?.isLoaded) placeFirst()
    if (!messages.querySelector('[tabindex="0"]')) setStop(messages.querySelector('.message:last-child'))
    look()
  }

  const renderTyping = (current: Conversation | undefined) => {
    const people = current ? store.typing(current.id) : []
    byId('typing').hidden = people.length === 0
    setText(byId('typing-text'), current?.kind === 'group' ? list(people) : '')
    if (isAtEnd && isPlaced) scrollToEnd()
  }

  /** The message at the upper edge, and how far from it. */
  const firstVisible = () => {
    const top = log.scrollTop
    for (const element of messages.children as Iterable<HTMLElement>) {
      if (element.classList.contains('message') && element.offsetTop + element.offsetHeight > top)
        return { element, offset: element.offsetTop - top }
    }
    return undefined
  }

  const scrollToEnd = () => {
    log.scrollTop = log.scrollHeight
    isAtEnd = true
  }

  /** Where one begins to read: at what is unread, else at the end. */
  const placeFirst = () => {
    isPlaced = true
    scrollToEnd()
    const line = messages.querySelector<HTMLElement>('.unread-line')
    if (line && line.offsetTop < log.scrollTop) {
      log.scrollTop = line.offsetTop - 8
      isAtEnd = false
    }
  }

  /** Marks what is seen as read, asks for older messages before they are needed, and shows the way to the end. */
  const look = () => {
    const { current } = store
    const left = log.scrollHeight - log.scrollTop - log.clientHeight
    isAtEnd = left < NEAR
    jump.hidden = left < log.clientHeight / 2
    setText(byId('jump-count'), current?.unread_count ? String(current.unread_count) : '')
    jump.setAttribute(
      'aria-label',
      current?.unread_count ? `To the newest: ${current.unread_count} unread` : 'To the newest',
    )
    if (!current || !isPlaced) return
    if (log.scrollTop < AHEAD) void chat.loadOlder(current.id)
    if (document.visibilityState === 'visible' && document.hasFocus()) {
      const seen = lastVisible()
      if (seen !== undefined) chat.markRead(current.id, seen)
    }
  }

  const lastVisible = () => {
    const bottom = log.scrollTop + log.clientHeight
    const children = [...messages.children] as HTMLElement[]
    const element = children.findLast(
      ({ dataset, offsetTop }) => dataset.id !== undefined && offsetTop + 20 < bottom,
    )
    return element ? Number(element.dataset.id) : undefined
  }

  /** Makes one message the stop of the Tab key in the log; arrow keys go on from it. */
  const setStop = (element: Element | null) => {
    if (!element) return
    for (const other of messages.querySelectorAll('[tabindex="0"]')) other.setAttribute('tabindex', '-1')
    element.setAttribute('tabindex', '0')
  }

  const show = async (id: number) => {
    const { current } = store
    if (!current) return
    await chat.loadUntil(current.id, id)
    const element = messages.querySelector<HTMLElement>(`[data-id="${id}"]`)
    if (!element) return
    isAtEnd = false
    element.scrollIntoView({ block: 'center' })
    element.classList.add('is-found')
    element.addEventListener('animationend', () => element.classList.remove('is-found'), { once: true })
    setStop(element)
    element.focus({ preventScroll: true })
  }

  const messageOf = (element: Element | null | undefined) => {
    const id = element instanceof HTMLElement ? element.dataset.id : undefined
    const { current } = store
    if (!current || id === undefined) return undefined
    return store.threads.get(current.id)?.messages.find((message) => message.id === Number(id))
  }

  const act = (element: HTMLElement, button: HTMLElement) => {
    setStop(element)
    const message = messageOf(element)
    const waiting = store.place && store.waitingAt(store.place)[indexOfWaiting(element)]
    openMessageMenu(chat, { message, waiting, button, home: element, compose, show })
  }

  const indexOfWaiting = (element: HTMLElement) =>
    [...messages.querySelectorAll('.message:not([data-id])')].indexOf(element)

  messages.addEventListener('click', (event) => {
    const target = event.target as Element
    const element = target.closest<HTMLElement>('.message')
    const quote = target.closest<HTMLElement>('.quote')
    const button = target.closest<HTMLElement>('.actions')
    if (quote) void show(Number(quote.dataset.quote))
    else if (element && button) act(element, button)
    else if (element && target.closest('.bubble') && !target.closest('a') && isTouch()) {
      act(element, target.closest<HTMLElement>('.bubble') ?? element)
    }
  })
  messages.addEventListener('dblclick', (event) => {
    const message = messageOf((event.target as Element).closest('.message'))
    if (message && !message.deleted_at && !(event.target as Element).closest('.text')) compose.reply(message)
  })
  log.addEventListener('keydown', (event) => {
    const element = (event.target as Element).closest<HTMLElement>('.message')
    if (!element || event.target !== element) return
    const all = [...messages.querySelectorAll<HTMLElement>('.message')]
    const index = all.indexOf(element)
    const to = {
      ArrowUp: all[index - 1],
      ArrowDown: all[index + 1],
      Home: all[0],
      End: all.at(-1),
    }[event.key]
    if (to) {
      setStop(to)
      to.focus()
    } else if (event.key === 'Enter' || event.key === ' ') {
      act(element, element.querySelector<HTMLElement>('.bubble') ?? element)
    } else if (event.key === 'Escape') byId('draft').focus()
    else return
    event.preventDefault()
  })
  log.addEventListener('scroll', look, { passive: true })
  jump.addEventListener('click', () => {
    scrollToEnd()
    byId('draft').focus()
  })
  new ResizeObserver(() => {
    if (isAtEnd && isPlaced) scrollToEnd()
  }).observe(log)
  addEventListener('focus', () => store.place && look())
  document.addEventListener('visibilitychange', () => store.place && look())
  // What comes while one is away is marked as new when one is back.
  addEventListener('blur', () => {
    unreadFrom = store.current?.unread_count === 0 ? store.current.last_message?.id : unreadFrom
  })

  return {
    render,
    /** After one has written: follows the end again, and nothing is new any more. */
    follow() {
      unreadFrom = undefined
      isAtEnd = true
      store.changed()
    },
  }
}

export type Composing = { reply: (message: Message) => void; edit: (message: Message) => void }

const isTouch = () => matchMedia('(hover: none)').matches

const beginning = (place: Place, current: Conversation | undefined) => {
  if (current?.kind === 'group') return `This is the beginning of ${titleOf(current)}.`
  const name = current ? titleOf(current) : 'peer' in place ? place.peer : ''
  return `This is the beginning of your conversation with ${name}.`
}
