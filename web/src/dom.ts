/** @throws Error if the page has no element of this class with this id */
export const elementOf = <T extends HTMLElement>(type: new () => T, id: string): T => {
  const found = document.getElementById(id)
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} with the id "${id}".`)
  return found
}

export const byId = (id: string) => elementOf(HTMLElement, id)

type Attributes = Record<string, string | number | boolean | undefined>
type Child = Node | string | false | undefined

/** Creates an element. Strings become text nodes, so that message content is never parsed as markup. */
export const make = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag)
  setAttributes(element, attributes)
  element.append(...children.filter((child) => child !== false && child !== undefined))
  return element
}

/** Sets attributes. `false` and `undefined` remove an attribute, `true` sets it to the empty string. */
export const setAttributes = (element: Element, attributes: Attributes) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === undefined) element.removeAttribute(name)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
}

/** @returns one of the SVG symbols in index.html; with a label, screen readers announce it as an image */
export const icon = (name: string, className = 'icon', label?: string) => {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  setAttributes(svg, {
    class: className,
    ...(label === undefined ? { 'aria-hidden': 'true' } : { role: 'img', 'aria-label': label }),
  })
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}

/** Sets the text only if it differs, because a new text node loses the selection. */
export const setText = (element: Element, text: string) => {
  if (element.textContent !== text) element.textContent = text
}

/** The key and the fingerprint of each element that `reconcile` has filled. */
const rendered = new WeakMap<Element, { key: string; fingerprint: string }>()

/**
 * Makes the children of `parent` match `items` and their order. A key keeps its element, and an element is filled again
 * only when its fingerprint changes, so that focus, selection and scroll position survive.
 */
export const reconcile = <T>(
  parent: Element,
  items: readonly T[],
  { key, fingerprint, make, fill }: Rows<T>,
): void => {
  const before = new Map(
    [...parent.children].map((child) => [rendered.get(child)?.key, child as HTMLElement]),
  )
  const keys = new Set(items.map(key))
  // Removals come first, so that the remaining elements need not move: an element that moves loses the focus.
  for (const [key, child] of before) if (key === undefined || !keys.has(key)) child.remove()
  let next = parent.firstElementChild
  for (const item of items) {
    const current = { key: key(item), fingerprint: fingerprint(item) }
    const known = before.get(current.key)
    const child = known ?? make(item)
    if (!known || rendered.get(child)?.fingerprint !== current.fingerprint) fill(child, item)
    rendered.set(child, current)
    if (child === next) next = next.nextElementSibling
    else parent.insertBefore(child, next)
  }
}

export type Rows<T> = {
  key: (item: T) => string
  /** A string that changes whenever the appearance of the item changes. */
  fingerprint: (item: T) => string
  make: (item: T) => HTMLElement
  fill: (element: HTMLElement, item: T) => void
}
