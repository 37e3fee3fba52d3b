import { icon, make, setAttributes } from './dom.ts'

export type MenuItem = { label: string; icon?: string; isDangerous?: boolean; run: () => void }

/**
 * Opens a menu next to `button`. Arrow keys move through the menu. Escape and a click elsewhere close it, and the focus
 * returns to `returnFocus`.
 */
export const openMenu = (
  button: HTMLElement,
  items: readonly MenuItem[],
  returnFocus: HTMLElement = button,
) => {
  const menu = make('div', { class: 'menu', role: 'menu', popover: 'auto' })
  const elements = items.map(({ label, icon: iconName, isDangerous, run }) => {
    const item = make(
      'button',
      { type: 'button', role: 'menuitem', tabindex: -1, class: isDangerous ? 'is-dangerous' : undefined },
      iconName !== undefined && icon(iconName),
      label,
    )
    item.addEventListener('click', () => {
      menu.hidePopover()
      run()
    })
    return item
  })
  menu.append(...elements)
  menu.addEventListener('keydown', (event) => {
    const index = elements.indexOf(document.activeElement as HTMLButtonElement)
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined) elements.at((index + step) % elements.length)?.focus()
    else if (event.key === 'Home') elements[0]?.focus()
    else if (event.key === 'End') elements.at(-1)?.focus()
    else if (event.key === 'Tab') menu.hidePopover()
    else return
    event.preventDefault()
  })
  menu.addEventListener('toggle', ({ newState }) => {
    if (newState === 'open') return
    setAttributes(button, { 'aria-expanded': undefined })
    // The chosen action may have moved the focus already.
    const isLost = document.activeElement === document.body || menu.contains(document.activeElement)
    menu.remove()
    if (isLost) returnFocus.focus()
  })
  // The landmark of the button also contains the menu, so that screen readers can reach it by landmark.
  ;(button.closest('nav, section, main') ?? document.body).append(menu)
  setAttributes(button, { 'aria-expanded': 'true' })
  menu.showPopover()
  positionMenu(menu, button.getBoundingClientRect())
  elements[0]?.focus()
}

/** Pixels between the menu, the button and the edges of the viewport. */
const GAP = 6

/** Moves the menu below the button if there is space, or else above it, and keeps it inside the viewport. */
const positionMenu = (menu: HTMLElement, { left, right, top, bottom }: DOMRect) => {
  const { offsetWidth: width, offsetHeight: height } = menu
  const isLeft = left + width < innerWidth - GAP
  const x = isLeft ? left : right - width
  const y =
    bottom + GAP + height < innerHeight ? bottom + GAP : Math.min(top - GAP, innerHeight - GAP) - height
  menu.style.left = `${Math.max(GAP, x)}px`
  menu.style.top = `${Math.max(GAP, y)}px`
}
