import { make } from './dom.ts'
import { hue, initials } from './format.ts'
import type { Store } from './store.ts'

/** The sites that the server lets this page load pictures from, besides its own. */
const origins = document.querySelector<HTMLMetaElement>('meta[name=avatar-origins]')?.content.split(' ') ?? []

/** @returns the picture of a user, or else the initials on a background colour of their own */
export const avatar = (store: Store, username: string, { isOnline = false } = {}) => {
  const element = initialsOf(username, store.nameOf(username), isOnline && 'is-online')
  const { avatar_url: src } = store.profiles.peek(username)
  if (src !== undefined && isAllowed(src)) {
    const picture = make('img', { src, alt: '', loading: 'lazy', referrerpolicy: 'no-referrer' })
    // The initials below it appear.
    picture.addEventListener('error', () => picture.remove())
    element.append(picture)
  }
  return element
}

export const groupAvatar = (title: string) => initialsOf(title, title, 'is-group')

const initialsOf = (key: string, name: string, className: string | false) => {
  const element = make(
    'span',
    { class: ['avatar', className].filter(Boolean).join(' '), 'aria-hidden': 'true' },
    initials(name),
  )
  element.style.setProperty('--hue', String(hue(key)))
  return element
}

const isAllowed = (url: string) => {
  const origin = URL.parse(url)?.origin
  return origin !== undefined && [location.origin, ...origins].includes(origin)
}
