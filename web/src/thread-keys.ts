import type { Chat } from './chat.ts'
import type { Composing } from './composer.ts'
import { byId } from './dom.ts'
import { isMessageLine, type Line, type MessageLine } from './lines.ts'
import type { LongList } from './long-list.ts'
import { openMessageMenu } from './message-menu.ts'

type Log = {
  rows: LongList<Line>
  compose: Composing
  lines: () => readonly Line[]
  showMessage: (id: number) => Promise<void>
  showNewest: () => Promise<void>
}

/** What one does with the messages of the open conversation, by mouse, touch and keys. */
export const listenToLog = (chat: Chat, { rows, compose, lines, showMessage, showNewest }: Log) => {
  const [log, messages] = [byId('log'), byId('messages')]

  /** Makes one message the stop of the Tab key in the log; arrow keys go on from it. */
  const setStop = (element: Element) => {
    for (const other of messages.querySelectorAll('[tabindex="0"]')) other.setAttribute('tabindex', '-1')
    element.setAttribute('tabindex', '0')
  }

  const focus = (line: Line | undefined) => {
    if (!line) return
    if (!rows.elementOf(line.key)) rows.scrollTo(line.key, 'middle')
    const element = rows.elementOf(line.key)
    if (!element) return
    setStop(element)
    element.focus()
  }

  const lineOf = (element: Element): MessageLine | undefined =>
    lines()
      .filter(isMessageLine)
      .find(({ key }) => rows.elementOf(key) === element)

  const act = (element: HTMLElement, button: HTMLElement) => {
    const line = lineOf(element)
    if (!line) return
    setStop(element)
    openMessageMenu(chat, { line, button, home: element, compose, show: showMessage })
  }

  messages.addEventListener('click', (event) => {
    const target = event.target as Element
    const element = target.closest<HTMLElement>('.message')
    const quote = target.closest<HTMLElement>('.quote')
    const button = target.closest<HTMLElement>('.actions')
    if (quote) void showMessage(Number(quote.dataset.quote))
    else if (element && button) act(element, button)
    else if (element && target.closest('.bubble') && !target.closest('a') && isTouch()) {
      act(element, target.closest<HTMLElement>('.bubble') ?? element)
    }
  })
  messages.addEventListener('dblclick', (event) => {
    const target = event.target as Element
    const element = target.closest('.message')
    const line = element && !target.closest('.text') ? lineOf(element) : undefined
    if (line?.kind === 'message' && !line.message.deleted_at) compose.reply(line.message)
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
      act(element, element.querySelector<HTMLElement>('.bubble') ?? element)
    } else if (event.key === 'Escape') byId('draft').focus()
    else return
    event.preventDefault()
  })

  return {
    focus,
    /** Gives the Tab key a stop in the log where it has none. */
    keepStop(line: Line | undefined) {
      const element = line && rows.elementOf(line.key)
      if (element && !messages.querySelector('[tabindex="0"]')) setStop(element)
    },
  }
}

const isTouch = () => matchMedia('(hover: none)').matches
