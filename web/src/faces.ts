import { make } from './dom.ts'
import { hue, initials } from './words.ts'

/** A person's or a group's face. */
export const face = (
  name: string,
  { isGroup = false, isOnline = false }: { isGroup?: boolean; isOnline?: boolean } = {},
) => {
  const className = ['face', isGroup && 'is-group', isOnline && 'is-online'].filter(Boolean).join(' ')
  const element = make('span', { class: className, 'aria-hidden': 'true' }, initials(name))
  element.style.setProperty('--hue', String(hue(name)))
  return element
}
