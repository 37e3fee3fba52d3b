import type { Messenger } from '@messenger/client'
import type { Store } from './store.ts'

/** The server watches at most this many users per connection. */
const MAX_WATCHED = 100

/**
 * @returns a function that watches the presence of the users on the page: the peers of the newest conversations, then
 *   the members of the open group, then the other peers. It sends a list only if the list has changed.
 */
export const createPresenceWatch = (messenger: Messenger, store: Store) => {
  let watched = ''
  return () => {
    const peers = store.sorted.flatMap(({ kind, peer }) => (kind === 'direct' && peer ? [peer] : []))
    const { route } = store
    const members = route && 'group' in route ? (store.members.get(route.group) ?? []) : []
    const names = [
      ...peers.slice(0, MAX_WATCHED / 2),
      ...members.map(({ username }) => username),
      ...peers,
    ].filter((name) => name !== store.me.username)
    const list = [...new Set(names)].slice(0, MAX_WATCHED)
    const key = list.toSorted(byCode).join(' ')
    if (key === watched) return
    watched = key
    messenger.watch(list)
  }
}

const byCode = (a: string, b: string) => (a < b ? -1 : 1)
