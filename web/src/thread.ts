import type { Conversation } from '@messenger/client'
import type { Chat } from './chat.ts'
import type { ComposerActions } from './composer.ts'
import { byId, make, setText } from './dom.ts'
import { formatList } from './format.ts'
import { isMessageLine, type Line, linesOf, viewOf } from './lines.ts'
import { handleLogInput } from './log-input.ts'
import { fillMessage } from './message.ts'
import { isSameRoute, type Route, titleOf } from './route.ts'
import type { Store } from './store.ts'
import { renderHeader } from './thread-header.ts'
import { unreadAfter, unreadBefore, unreadLabel } from './unread.ts'
import { createVirtualList } from './virtual-list.ts'

/** Pixels from the end within which the log counts as scrolled to the end. */
const NEAR_END = 60
/** Pixels from an end of the loaded messages at which the next page is requested. */
const PRELOAD = 800
/** Pixels between the upper edge and a row that is scrolled to. */
const GAP = 8

/** The view of the open conversation: header, log, and the buttons that lead to unread messages. */
export const createThread = (chat: Chat, { composer }: { composer: ComposerActions }) => {
  const { store } = chat
  const [log, jump] = [byId('log'), byId('jump')]
  let shownRoute: Route | undefined
  let lines: Line[] = []
  /** Whether the log has been scrolled to its first position. */
  let isPositioned = false
  /** Whether the log waits for a page that it will scroll to. */
  let isMoving = false
  /** Whether the log follows new messages, because it is scrolled to the end. */
  let isAtEnd = true
  /** The id of the newest message that was displayed. */
  let displayedUpTo = 0
  /** The read mark when the user opened the conversation. The line "New messages" follows it. */
  let unreadFrom: number | undefined

  const rows = createVirtualList<Line>(log, byId('messages'), {
    key: ({ key }) => key,
    isAnchor: isMessageLine,
    estimate: (line) =>
      line.kind === 'message' ? 42 + 21 * Math.floor(line.message.content.length / 64) : 48,
    fingerprint: (line) => JSON.stringify(viewOf(chat, line) ?? line),
    make: (line) =>
      isMessageLine(line)
        ? make('li', { class: 'message', tabindex: -1 })
        : make('li', { class: line.kind === 'day' ? 'day' : 'unread-line' }),
    fill: (element, line) => {
      const view = viewOf(chat, line)
      if (view) fillMessage(element, view, store)
      else if (!isMessageLine(line)) setText(element, line.text)
    },
  })

  const render = () => {
    const { route, current } = store
    byId('empty').hidden = route !== undefined
    byId('open').hidden = route === undefined
    if (!route) {
      shownRoute = undefined
      return
    }
    if (!isSameRoute(route, shownRoute)) {
      shownRoute = route
      isPositioned = false
      isMoving = false
      unreadFrom = undefined
      rows.clear()
    }
    if (current && !isPositioned && unreadFrom === undefined && current.unread_count > 0)
      unreadFrom = current.read_up_to
    renderHeader(store, route, current)
    renderTyping(current)
    renderLog(route, current)
    updateVisible()
  }

  const renderLog = (route: Route, current: Conversation | undefined) => {
    const timeline = current && store.timelines.get(current.id)
    byId('older').hidden = !timeline?.hasOlder
    const isBeginning = !current || (timeline?.isLoaded && !timeline.hasOlder)
    byId('beginning').hidden = !isBeginning
    setText(byId('beginning'), beginningOf(store, route, current))
    lines = linesOf(chat, route, current, unreadFrom)
    rows.set(lines)
    const isLoaded = !current || timeline?.isLoaded === true
    // A removed timeline is loaded again and then starts at the read mark.
    if (!isLoaded) isPositioned = false
    else if (!isPositioned) scrollToStart(current)
    else if (isAtEnd) follow()
  }

  const renderTyping = (current: Conversation | undefined) => {
    const users = current ? store.typing(current.id).map((name) => store.nameOf(name)) : []
    byId('typing').hidden = users.length === 0
    setText(byId('typing-text'), current?.kind === 'group' ? formatList(users) : '')
  }

  /** Scrolls to the first unread message, or else to the end. */
  const scrollToStart = (current: Conversation | undefined) => {
    isPositioned = true
    displayedUpTo = current?.unread_count ? current.read_up_to : newestId()
    rows.scrollToEnd()
    if (lines.some(({ kind }) => kind === 'unread') && rows.isAbove('unread')) rows.scrollTo('unread', GAP)
    isAtEnd = isNearEnd()
  }

  /** Stays at the end, but stops at the first message that would leave the viewport without being displayed. */
  const follow = () => {
    rows.scrollToEnd()
    const first = lines.find(
      (line) =>
        line.kind === 'message' && line.message.id > displayedUpTo && line.message.sender_id !== store.me.id,
    )
    if (!first || !rows.isAbove(first.key)) return
    rows.scrollTo(first.key, GAP)
    isAtEnd = isNearEnd()
  }

  const newestId = () => (store.current && store.timelines.get(store.current.id)?.messages.at(-1)?.id) ?? 0

  /** Pixels below the viewport. */
  const remaining = () => log.scrollHeight - log.scrollTop - log.clientHeight
  const hasNewer = () => store.current !== undefined && store.hasNewer(store.current.id)
  const isNearEnd = () => remaining() < NEAR_END && !hasNewer()

  /** Marks the displayed messages as read, requests pages, and updates the unread buttons. */
  const updateVisible = () => {
    const { current } = store
    const visible = rows.visible()
    input.ensureTabStop(visible.rows.findLast(isMessageLine))
    jump.hidden = remaining() < log.clientHeight / 2 && !hasNewer()
    if (!current || !isPositioned || isMoving) return
    const last = lastIdOf(visible.rows)
    const above = lastIdOf(visible.above) ?? 0
    const isDisplayed = document.visibilityState === 'visible' && document.hasFocus()
    if (isDisplayed && last !== undefined) {
      displayedUpTo = Math.max(displayedUpTo, last)
      // A read mark covers all earlier messages, so it must not pass one that was never displayed.
      if (unreadBefore(store, current.id, above + 1) === 0) chat.markRead(current.id, last)
    }
    showUnread(unreadBefore(store, current.id, above + 1), unreadAfter(store, current.id, last ?? above))
    if (log.scrollTop < PRELOAD) void chat.history.loadOlder(current.id)
    if (remaining() < PRELOAD) void chat.history.loadNewer(current.id)
  }

  const showUnread = (above: number, below: number) => {
    byId('unread').hidden = above === 0
    setText(byId('unread-count'), `${unreadLabel(above)} unread above`)
    setText(byId('jump-count'), below > 0 ? unreadLabel(below) : '')
    jump.setAttribute(
      'aria-label',
      below > 0 ? `Jump to newest: ${unreadLabel(below)} unread` : 'Jump to newest',
    )
  }

  /** Loads a part of the conversation, then scrolls. Messages on the way do not count as displayed. */
  const move = async (load: (id: number) => Promise<void>, scroll: () => void) => {
    const { route, current } = store
    if (current) {
      isMoving = true
      await load(current.id)
      if (!isSameRoute(route, store.route)) return
    }
    if (route) renderLog(route, store.current)
    scroll()
    isMoving = false
    updateVisible()
  }

  const showMessage = (id: number) =>
    move(
      (conversation_id) => chat.history.showMessage(conversation_id, id),
      () => {
        const line = lines.find((line) => line.kind === 'message' && line.message.id === id)
        if (!line) return
        rows.scrollTo(line.key, 'middle')
        isAtEnd = isNearEnd()
        const element = rows.elementOf(line.key)
        element?.classList.add('is-found')
        element?.addEventListener('animationend', () => element.classList.remove('is-found'), { once: true })
        input.focus(line)
      },
    )

  const showNewest = () =>
    move(
      (id) => chat.history.showNewest(id),
      () => {
        // A failed request leaves the newest messages unloaded.
        isAtEnd = !hasNewer()
        displayedUpTo = newestId()
        rows.scrollToEnd()
      },
    )

  const showFirstUnread = () =>
    move(
      async (id) => {
        await chat.history.showReadMark(id)
        unreadFrom = store.current?.read_up_to
      },
      () => {
        rows.scrollTo('unread', GAP)
        isAtEnd = isNearEnd()
        log.focus({ preventScroll: true })
      },
    )

  const input = handleLogInput(chat, { rows, composer, lines: () => lines, showMessage, showNewest })
  log.addEventListener(
    'scroll',
    () => {
      isAtEnd = isNearEnd()
      rows.anchorHere()
      updateVisible()
    },
    { passive: true },
  )
  jump.addEventListener('click', () => {
    void showNewest()
    byId('draft').focus()
  })
  byId('to-unread').addEventListener('click', () => void showFirstUnread())
  byId('mark-read').addEventListener('click', () => {
    const { current } = store
    if (current?.last_message) chat.markRead(current.id, current.last_message.id)
    byId('draft').focus()
  })
  new ResizeObserver(() => {
    if (isAtEnd && isPositioned) rows.scrollToEnd()
    else rows.render()
  }).observe(log)
  addEventListener('focus', () => store.route && updateVisible())
  document.addEventListener('visibilitychange', () => store.route && updateVisible())
  // Messages that arrive while the window has no focus appear below the line "New messages".
  addEventListener('blur', () => {
    unreadFrom = store.current?.unread_count === 0 ? store.current.last_message?.id : unreadFrom
  })

  return {
    render,
    /** Scrolls to the end after the user has sent a message, and follows new messages again. */
    follow() {
      if (store.current?.unread_count === 0) unreadFrom = undefined
      void showNewest()
    },
  }
}

const lastIdOf = (lines: readonly Line[]) => {
  const line = lines.findLast(({ kind }) => kind === 'message')
  return line?.kind === 'message' ? line.message.id : undefined
}

const beginningOf = (store: Store, route: Route, current: Conversation | undefined) => {
  if (current?.kind === 'group') return `This is the beginning of ${titleOf(current)}.`
  const name = current ? titleOf(current) : 'peer' in route ? route.peer : ''
  return `This is the beginning of your conversation with ${store.nameOf(name)}.`
}
