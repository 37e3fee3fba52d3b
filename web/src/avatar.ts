import { make } from './dom.ts'
import { hue, initials } from './format.ts'

/** @returns the initials of a user or a group on a background colour of their own */
export const avatar = (
  name: string,
  { isGroup = false, isOnline = false }: { isGroup?: boolean; isOnline?: boolean } = {},
) => {
  const className = ['avatar', isGroup && 'is-group', isOnline && 'is-online'].filter(Boolean).join(' ')
  const element = make('span', { class: className, 'aria-hidden': 'true' }, initials(name))
  element.style.setProperty('--hue', String(hue(name)))
  return element
}
