import { make } from './dom.ts'
import type { Store } from './store.ts'

/** @returns the display name of a user, with the username as its title if the two differ */
export const nameLabel = (store: Store, username: string) => {
  const name = store.nameOf(username)
  return make(
    'span',
    { class: 'name', title: name !== username && username },
    username === store.me.username ? `${name} (you)` : name,
  )
}

/** @returns the name label, and the username where it differs: to tell users apart who have the same display name */
export const bothNames = (store: Store, username: string) => [
  nameLabel(store, username),
  store.nameOf(username) !== username && make('small', { class: 'username' }, username),
]
