import { reconcile, type Rows } from './dom.ts'

/** Pixels above and below the viewport in which rows are part of the document. */
const MARGIN = 800
/** Limit of layout passes. A measured row moves the rows below it, which can bring other rows into the range. */
const MAX_PASSES = 6
/** A row counts as visible if at most this many pixels of its end are hidden. */
const TOLERANCE = 8

type Options<T> = Rows<T> & {
  /** The estimated height of a row that was never rendered, in pixels. */
  estimate: (item: T) => number
  /** Whether the row can be an anchor: it keeps its neighbours when rows are inserted above it. */
  isAnchor: (item: T) => boolean
}

/** The position that is kept when rows change: the end of the list, or a row at `offset` pixels below the upper edge. */
type Anchor = 'end' | { key: string; offset: number } | undefined

/** Renders only the rows of a long list that are near the viewport of `scroller`. */
export const createVirtualList = <T>(scroller: HTMLElement, list: HTMLElement, options: Options<T>) => {
  const { key, estimate, isAnchor } = options
  const heights = new Map<string, number>()
  let items: readonly T[] = []
  let indexes = new Map<string, number>()
  /** The top of each row in pixels from the top of the list, then the end of the last row. */
  let tops: number[] = [0]
  let rendered = { first: 0, end: 0 }
  let anchor: Anchor

  const layOut = () => {
    let top = 0
    tops = [0]
    for (const item of items) tops.push((top += heights.get(key(item)) ?? estimate(item)))
  }

  const topOf = (index: number) => tops[index] ?? 0

  /** @returns the index of the row at `y` pixels from the top of the list */
  const indexAt = (y: number) => {
    let [low, high] = [0, items.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (topOf(middle) <= y) low = middle
      else high = middle - 1
    }
    return low
  }

  /** The top of the viewport, in pixels from the top of the list: the actual one, and the one that the anchor requires. */
  const position = () => scroller.scrollTop - list.offsetTop
  const required = () => {
    if (anchor === 'end') return topOf(items.length) - scroller.clientHeight
    const index = anchor && indexes.get(anchor.key)
    return anchor && index !== undefined ? topOf(index) - anchor.offset : position()
  }

  const applyAnchor = () => {
    if (anchor === 'end') scroller.scrollTop = scroller.scrollHeight
    // Each write to scrollTop ends the momentum of a swipe, even if the value stays the same.
    else if (anchor && Math.abs(required() - position()) > 0.5)
      scroller.scrollTop = list.offsetTop + required()
  }

  const render = () => {
    // Rows of a hidden list have no height.
    if (scroller.clientHeight === 0) return
    const hadFocus = list.contains(document.activeElement)
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const top = required()
      const first = indexAt(top - MARGIN)
      const end = Math.min(items.length, indexAt(top + scroller.clientHeight + MARGIN) + 1)
      rendered = { first, end }
      list.style.paddingTop = `${topOf(first)}px`
      list.style.paddingBottom = `${topOf(items.length) - topOf(end)}px`
      reconcile(list, items.slice(first, end), options)
      if (!measure()) break
      layOut()
    }
    applyAnchor()
    if (hadFocus && !list.contains(document.activeElement)) scroller.focus({ preventScroll: true })
  }

  /** Measures the rendered rows. @returns whether a height differs from the assumed one */
  const measure = () => {
    let hasChanged = false
    for (const [offset, child] of [...list.children].entries()) {
      const index = rendered.first + offset
      const { height } = child.getBoundingClientRect()
      if (Math.abs(height - (topOf(index + 1) - topOf(index))) < 0.1) continue
      heights.set(key(items[index] as T), height)
      hasChanged = true
    }
    return hasChanged
  }

  return {
    render,

    /** Replaces the rows. The anchor keeps its position. */
    set(next: readonly T[]) {
      items = next
      indexes = new Map(next.map((item, index) => [key(item), index]))
      layOut()
      render()
    },

    /** Removes the rows and their measured heights. */
    clear() {
      heights.clear()
      anchor = undefined
      list.replaceChildren()
    },

    /** Makes the row at the upper edge the anchor. Call it after the user has scrolled. */
    anchorHere() {
      const top = position()
      const first = indexAt(top)
      const index = items.findIndex((item, index) => index >= first && isAnchor(item))
      const item = items[index]
      anchor = item && { key: key(item), offset: topOf(index) - top }
      render()
    },

    /** Scrolls a row to `offset` pixels below the upper edge, or to the middle. */
    scrollTo(name: string, offset: number | 'middle') {
      anchor = { key: name, offset: offset === 'middle' ? scroller.clientHeight / 2 - 30 : offset }
      render()
    },

    scrollToEnd() {
      anchor = 'end'
      render()
    },

    /** Whether the top of a row is above the viewport. */
    isAbove: (name: string) => topOf(indexes.get(name) ?? 0) < position(),

    /** @returns the rows whose end is visible, and the rows above them */
    visible(): { rows: readonly T[]; above: readonly T[] } {
      const top = position()
      const from = items.findIndex((_, index) => topOf(index + 1) > top + TOLERANCE)
      const to = items.findLastIndex(
        (_, index) => topOf(index + 1) <= top + scroller.clientHeight + TOLERANCE,
      )
      const start = from < 0 ? items.length : from
      return { rows: items.slice(start, to + 1), above: items.slice(0, start) }
    },

    /** @returns the element of a row; undefined if the row is not rendered */
    elementOf(name: string): HTMLElement | undefined {
      const index = indexes.get(name) ?? -1
      const isRendered = index >= rendered.first && index < rendered.end
      return isRendered ? (list.children[index - rendered.first] as HTMLElement) : undefined
    },
  }
}

export type VirtualList<T> = ReturnType<typeof createVirtualList<T>>
