import type { Chat } from './chat.ts'
import type { ComposerActions } from './composer.ts'
import { byId } from './dom.ts'
import { isMessageLine, type Line, type MessageLine } from './lines.ts'
import { openMessageMenu } from './message-menu.ts'
import type { VirtualList } from './virtual-list.ts'

type LogInputOptions = {
  rows: VirtualList<Line>
  composer: ComposerActions
  lines: () => readonly Line[]
  showMessage: (id: number) => Promise<void>
  showNewest: () => Promise<void>
}

/** Handles clicks, touches and keys on the messages of the open conversation. */
export const handleLogInput = (
  chat: Chat,
  { rows, composer, lines, showMessage, showNewest }: LogInputOptions,
) => {
  const [log, messages] = [byId('log'), byId('messages')]

  /** Makes one message the tab stop of the log (roving tabindex of the ARIA Authoring Practices Guide). */
  const setTabStop = (element: Element) => {
    for (const other of messages.querySelectorAll('[tabindex="0"]')) other.setAttribute('tabindex', '-1')
    element.setAttribute('tabindex', '0')
  }

  const focus = (line: Line | undefined) => {
    if (!line) return
    if (!rows.elementOf(line.key)) rows.scrollTo(line.key, 'middle')
    const element = rows.elementOf(line.key)
    if (!element) return
    setTabStop(element)
    element.focus()
  }

  const lineOf = (element: Element): MessageLine | undefined =>
    lines()
      .filter(isMessageLine)
      .find(({ key }) => rows.elementOf(key) === element)

  const openMenuOf = (element: HTMLElement, button: HTMLElement) => {
    const line = lineOf(element)
    if (!line) return
    setTabStop(element)
    openMessageMenu(chat, { line, button, returnFocus: element, composer, showMessage })
  }

  messages.addEventListener('click', (event) => {
    const target = event.target as Element
    const element = target.closest<HTMLElement>('.message')
    const quote = target.closest<HTMLElement>('.quote')
    const button = target.closest<HTMLElement>('.actions')
    if (quote) void showMessage(Number(quote.dataset.quote))
    else if (element && button) openMenuOf(element, button)
    else if (element && target.closest('.bubble') && !target.closest('a') && isTouch()) {
      openMenuOf(element, target.closest<HTMLElement>('.bubble') ?? element)
    }
  })
  messages.addEventListener('dblclick', (event) => {
    const target = event.target as Element
    const element = target.closest('.message')
    // A double click on the text selects a word.
    const line = element && !target.closest('.text') ? lineOf(element) : undefined
    if (line?.kind === 'message' && !line.message.deleted_at) composer.reply(line.message)
  })
  log.addEventListener('keydown', (event) => {
    const element = (event.target as Element).closest<HTMLElement>('.message')
    if (!element || event.target !== element) return
    const all = lines().filter(isMessageLine)
    const index = all.findIndex(({ key }) => rows.elementOf(key) === element)
    if (event.key === 'ArrowUp') focus(all[index - 1])
    else if (event.key === 'ArrowDown') focus(all[index + 1])
    else if (event.key === 'Home') focus(all[0])
    else if (event.key === 'End') void showNewest().then(() => focus(lines().findLast(isMessageLine)))
    else if (event.key === 'Enter' || event.key === ' ') {
      openMenuOf(element, element.querySelector<HTMLElement>('.bubble') ?? element)
    } else if (event.key === 'Escape') byId('draft').focus()
    else return
    event.preventDefault()
  })

  return {
    focus,
    /** Makes a line the tab stop if the log has none, for example after its element was removed. */
    ensureTabStop(line: Line | undefined) {
      const element = line && rows.elementOf(line.key)
      if (element && !messages.querySelector('[tabindex="0"]')) setTabStop(element)
    },
  }
}

const isTouch = () => matchMedia('(hover: none)').matches
