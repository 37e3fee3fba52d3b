import { type Conversation, foldName, type User } from '@messenger/client'
import type { Chat } from './chat.ts'
import { avatar, groupAvatar } from './avatar.ts'
import { byId, elementOf, make, reconcile, setText } from './dom.ts'
import { formatList, formatShortTime, plural } from './format.ts'
import { summaryOf, tick } from './message.ts'
import { bothNames, nameLabel } from './names.ts'
import { progressOf } from './progress.ts'
import { isSameRoute, routeHash, routeOf, titleOf } from './route.ts'
import { unreadLabel } from './unread.ts'

/** Milliseconds after the last key until the search request. */
const SEARCH_DELAY_MS = 150

/** The list of conversations, and the search for users. */
export const createSidebar = (chat: Chat) => {
  const { store } = chat
  const [search, lists] = [elementOf(HTMLInputElement, 'search'), byId('lists')]
  let users: User[] = []
  let timer: ReturnType<typeof setTimeout> | undefined

  const render = () => {
    renderMe()
    const wanted = foldName(search.value.trim())
    const shown = store.sorted.filter((one) =>
      [titleOf(one), store.titleOf(one)].some((name) => foldName(name).includes(wanted)),
    )
    reconcile(byId('conversations'), shown, {
      key: (one) => routeHash(routeOf(one)),
      fingerprint: fingerprintOf,
      make: (one) => make('li', {}, rowLink(routeHash(routeOf(one)))),
      fill: fillRow,
    })
    const others = wanted === '' ? [] : users.filter(({ username }) => !store.find({ peer: username }))
    byId('people').hidden = others.length === 0
    reconcile(byId('people-list'), others, {
      key: ({ username }) => username,
      fingerprint: ({ username }) => JSON.stringify(shownOf(username)),
      make: ({ username }) => make('li', {}, rowLink(routeHash({ peer: username }))),
      fill: (element, { username }) =>
        element.firstElementChild?.replaceChildren(
          avatar(store, username),
          make('span', { class: 'lines' }, ...bothNames(store, username)),
        ),
    })
    const isEmpty = shown.length === 0 && others.length === 0
    byId('nothing').hidden = !isEmpty || !chat.isLoaded
    setText(
      byId('nothing'),
      wanted === ''
        ? 'No conversations yet. Find a person by name to start one.'
        : 'No conversation or person has this name. Check the spelling.',
    )
    byId('alone').hidden = store.conversations.size > 0 || wanted !== '' || !chat.isLoaded
    byId('more-conversations').hidden = store.before === undefined
  }

  const renderMe = () => {
    const me = byId('me')
    const fingerprint = JSON.stringify([shownOf(store.me.username), store.isConnected])
    if (me.dataset.fingerprint === fingerprint) return
    me.dataset.fingerprint = fingerprint
    me.replaceChildren(
      avatar(store, store.me.username, { isOnline: store.isConnected }),
      make(
        'span',
        {},
        make('span', { class: 'name', title: store.me.username }, store.nameOf(store.me.username)),
        make('span', { class: 'state' }, store.isConnected ? 'online' : 'connecting…'),
      ),
    )
  }

  const fingerprintOf = (one: Conversation) => {
    const { last_message: last, unread_count, kind } = one
    const isMine = last?.sender_id === store.me.id
    return JSON.stringify([
      kind === 'direct' ? shownOf(titleOf(one)) : titleOf(one),
      last && [
        last.id,
        store.nameOf(last.sender),
        summaryOf(last),
        formatShortTime(new Date(last.timestamp)),
        isMine && progressOf(store, one, last.id),
      ],
      unread_count,
      store.typing(one.id).map((name) => store.nameOf(name)),
      kind === 'direct' && store.presence.get(titleOf(one))?.online,
      isSameRoute(store.route, routeOf(one)),
    ])
  }

  /** What a row shows of a user. */
  const shownOf = (username: string) => [username, store.profiles.peek(username)]

  const fillRow = (element: HTMLElement, one: Conversation) => {
    const { kind, last_message: last, unread_count } = one
    const name = titleOf(one)
    const isGroup = kind === 'group'
    const isMine = last?.sender_id === store.me.id
    const typing = store.typing(one.id).map((name) => store.nameOf(name))
    const excerpt = make('span', { class: 'excerpt' })
    if (typing.length > 0) {
      excerpt.classList.add('is-live')
      excerpt.append(isGroup ? `${formatList(typing)} typing…` : 'typing…')
    } else if (last) {
      if (isMine && !last.deleted_at) excerpt.append(tick(progressOf(store, one, last.id)), ' ')
      if (isGroup) excerpt.append(isMine ? 'You: ' : `${store.nameOf(last.sender)}: `)
      excerpt.append(summaryOf(last))
    } else excerpt.append(isGroup ? plural(one.member_count, 'member') : '')
    const link = element.firstElementChild as HTMLElement
    link.classList.toggle('has-unread', unread_count > 0)
    link.setAttribute('aria-current', String(isSameRoute(store.route, routeOf(one))))
    link.replaceChildren(
      isGroup
        ? groupAvatar(name)
        : avatar(store, name, { isOnline: store.presence.get(name)?.online ?? false }),
      make(
        'span',
        { class: 'lines' },
        make(
          'span',
          { class: 'line' },
          isGroup ? make('span', { class: 'name' }, name) : nameLabel(store, name),
          last && make('time', { datetime: last.timestamp }, formatShortTime(new Date(last.timestamp))),
        ),
        make(
          'span',
          { class: 'line' },
          excerpt,
          unread_count > 0 &&
            make(
              'span',
              { class: 'badge' },
              unreadLabel(unread_count),
              make('span', { class: 'visually-hidden' }, ' unread'),
            ),
        ),
      ),
    )
  }

  const rowLink = (key: string) => make('a', { class: 'row', href: `#${key}` })

  search.addEventListener('input', () => {
    clearTimeout(timer)
    render()
    timer = setTimeout(() => void find(), SEARCH_DELAY_MS)
  })
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') clear()
    else if (event.key === 'ArrowDown') links()[0]?.focus()
    else if (event.key === 'Enter') links()[0]?.click()
    else return
    event.preventDefault()
  })
  lists.addEventListener('keydown', (event) => {
    const all = links()
    const index = all.indexOf(document.activeElement as HTMLAnchorElement)
    if (index < 0) return
    if (event.key === 'ArrowDown') all[index + 1]?.focus()
    else if (event.key === 'ArrowUp') (all[index - 1] ?? search).focus()
    else return
    event.preventDefault()
  })
  lists.addEventListener('click', (event) => {
    if ((event.target as Element).closest('.row') && search.value !== '') clear()
  })
  byId('copy-address').addEventListener('click', () => chat.copy(location.origin, 'Address copied.'))
  byId('more-conversations').addEventListener('click', () => void chat.loadMoreConversations())

  const find = async () => {
    const wanted = search.value.trim()
    const found = wanted === '' ? [] : await chat.directory.findUsers(wanted)
    if (search.value.trim() !== wanted) return
    users = found
    render()
  }

  const links = () => [...lists.querySelectorAll<HTMLAnchorElement>('.row')]

  const clear = () => {
    search.value = ''
    users = []
    render()
  }

  return { render, focus: () => search.focus() }
}
