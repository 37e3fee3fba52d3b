import type { Conversation } from '@messenger/client'
import { byId, make } from './dom.ts'
import { avatar, groupAvatar } from './avatar.ts'
import { formatLastSeen, formatList, plural } from './format.ts'
import { nameLabel } from './names.ts'
import { type Route, titleOf } from './route.ts'
import type { Store } from './store.ts'

/** Renders the title of the open conversation, and the presence of its peer or the number of members. */
export const renderHeader = (store: Store, route: Route, current: Conversation | undefined) => {
  const name = current ? titleOf(current) : 'peer' in route ? route.peer : ''
  const isGroup = current?.kind === 'group'
  const presence = isGroup ? undefined : store.presence.get(name)
  const state = subtitle(store, current, name)
  const about = byId('about')
  const fingerprint = JSON.stringify([
    name,
    !isGroup && store.profiles.peek(name),
    state,
    presence?.online,
    current?.kind,
  ])
  if (about.dataset.fingerprint !== fingerprint) {
    about.dataset.fingerprint = fingerprint
    about.replaceChildren(
      isGroup ? groupAvatar(name) : avatar(store, name, { isOnline: presence?.online ?? false }),
      make(
        'span',
        {},
        isGroup ? make('span', { class: 'name' }, name) : nameLabel(store, name),
        make('span', { class: state.isLive ? 'state is-live' : 'state' }, state.text),
      ),
    )
  }
  const log = byId('log')
  log.setAttribute('aria-label', isGroup ? `Messages in ${name}` : `Messages with ${store.nameOf(name)}`)
  log.classList.toggle('in-group', isGroup)
}

const subtitle = (store: Store, current: Conversation | undefined, name: string) => {
  const typing = current ? store.typing(current.id).map((one) => store.nameOf(one)) : []
  if (typing.length > 0) {
    return { text: current?.kind === 'group' ? `${formatList(typing)} typing…` : 'typing…', isLive: true }
  }
  if (current?.kind === 'group') {
    return { text: current.role ? plural(current.member_count, 'member') : 'Not a member', isLive: false }
  }
  if (name === store.me.username) return { text: 'Notes to yourself', isLive: false }
  if (store.blocked.has(name)) return { text: 'Blocked', isLive: false }
  const presence = store.presence.get(name)
  if (presence?.online) return { text: 'online', isLive: true }
  return { text: presence?.last_seen ? formatLastSeen(new Date(presence.last_seen)) : '', isLive: false }
}
