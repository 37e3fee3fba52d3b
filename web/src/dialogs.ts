import type { Conversation } from '@messenger/client'
import type { Chat } from './chat.ts'
import { askFirst, fieldOf, openDialog } from './dialog.ts'
import { make, reconcile } from './dom.ts'
import { face } from './faces.ts'
import { titleOf } from './store.ts'
import { count } from './words.ts'

/** Makes a group: its title, and who is in it. */
export const newGroupDialog = (chat: Chat) => {
  const title = fieldOf('group-title', 'Title', { maxlength: 128, required: true })
  const people = peoplePicker(chat, [])
  openDialog(
    'New group',
    [title.row, ...people.parts],
    [
      {
        label: 'Create',
        isPrimary: true,
        act: () => chat.people.createGroup(title.input.value.trim(), people.chosen()),
      },
    ],
  )
}

/** What there is to know and to do about the open conversation. */
export const aboutDialog = (chat: Chat) => {
  const { place, current } = chat.store
  if (current?.kind === 'group') void groupDialog(chat, current)
  else if (place && 'peer' in place) personDialog(chat, current ? titleOf(current) : place.peer)
}

const personDialog = (chat: Chat, name: string) => {
  const isMe = name === chat.store.me.username
  const isBlocked = chat.store.blocked.has(name)
  const words = isMe
    ? 'What you write here is for you alone.'
    : isBlocked
      ? `You have blocked ${name}: neither of you can write to the other here.`
      : `While you block ${name}, neither of you can write to the other, or see the other typing or online.`
  openDialog(
    name,
    [make('p', {}, words)],
    isMe
      ? []
      : [
          isBlocked
            ? { label: `Unblock ${name}`, act: () => chat.people.unblock(name) }
            : { label: `Block ${name}…`, isDangerous: true, act: () => askToBlock(chat, name) },
        ],
  )
}

const askToBlock = (chat: Chat, name: string) =>
  askFirst(
    `Block ${name}?`,
    `Neither of you can write to the other until you unblock ${name}.`,
    'Block',
    () => chat.people.block(name),
  )

const askToLeave = (chat: Chat, group: Conversation) =>
  askFirst(
    `Leave ${titleOf(group)}?`,
    group.role === 'owner' && group.member_count > 1
      ? 'You get no further messages. The member who joined first becomes the owner, and can add you again.'
      : 'You get no further messages. Only the owner can add you again.',
    'Leave',
    () => chat.people.removeMember(group.id, chat.store.me.username),
  )

const askToRemove = (chat: Chat, group: Conversation, name: string, then: () => void) =>
  askFirst(
    `Remove ${name}?`,
    `${name} gets no further messages of ${titleOf(group)}, and keeps those that were sent before.`,
    'Remove',
    async () => {
      await chat.people.removeMember(group.id, name)
      then()
    },
  )

const groupDialog = async (chat: Chat, group: Conversation) => {
  const members = await chat.people.loadMembers(group.id)
  const isOwner = group.role === 'owner'
  const { me } = chat.store
  const again = () => {
    const now = chat.store.conversations.get(group.id)
    if (now) void groupDialog(chat, now)
  }
  const rows = members.map(({ username, role }) => {
    const canGo = isOwner && username !== me.username
    const remove = make('button', { type: 'button', class: 'plain is-dangerous' }, 'Remove')
    remove.setAttribute('aria-label', `Remove ${username}`)
    remove.addEventListener('click', () => askToRemove(chat, group, username, again))
    return make(
      'li',
      { class: 'member' },
      face(username, { isOnline: chat.store.presence.get(username)?.online ?? false }),
      make('span', { class: 'name' }, username === me.username ? `${username} (you)` : username),
      role === 'owner' && make('small', {}, 'owner'),
      canGo && remove,
    )
  })
  const words = group.role ? count(group.member_count, 'member') : 'You are no longer in this group.'
  openDialog(
    titleOf(group),
    [make('p', {}, words), make('ul', { 'aria-label': 'Members' }, ...rows)],
    group.role
      ? [
          { label: 'Leave…', isDangerous: true, act: () => askToLeave(chat, group) },
          ...(isOwner
            ? [
                { label: 'Rename', act: () => queueMicrotask(() => renameDialog(chat, group)) },
                { label: 'Add people', act: () => queueMicrotask(() => addDialog(chat, group)) },
              ]
            : []),
        ]
      : [],
  )
}

const renameDialog = (chat: Chat, group: Conversation) => {
  const title = fieldOf('group-title', 'Title', { maxlength: 128, required: true, value: titleOf(group) })
  openDialog(
    'Rename group',
    [title.row],
    [
      {
        label: 'Save',
        isPrimary: true,
        act: () => chat.people.renameGroup(group.id, title.input.value.trim()),
      },
    ],
  )
}

const addDialog = (chat: Chat, group: Conversation) => {
  const people = peoplePicker(
    chat,
    (chat.store.members.get(group.id) ?? []).map(({ username }) => username),
  )
  openDialog(`Add to ${titleOf(group)}`, people.parts, [
    {
      label: 'Add',
      isPrimary: true,
      act: async () => {
        for (const name of people.chosen()) await chat.people.addMember(group.id, name)
      },
    },
  ])
}

/** A field that finds people, and a list to tick them in; those who are ticked stay in it. */
const peoplePicker = (chat: Chat, without: readonly string[]) => {
  const field = fieldOf('find-people', 'People', { placeholder: 'Find by name', type: 'search' })
  const rows = make('ul', { 'aria-label': 'Found' })
  const chosen = new Set<string>()
  const except = new Set([...without, chat.store.me.username])
  const known = chat.store.sorted.flatMap(({ kind, peer }) => (kind === 'direct' && peer ? [peer] : []))
  const render = (found: readonly string[]) => {
    const names = [...new Set([...chosen, ...found])].filter((name) => !except.has(name))
    reconcile(rows, names, {
      key: (name) => name,
      look: (name) => name,
      make: () => make('li'),
      fill: (element, name) => {
        const box = make('input', { type: 'checkbox' })
        box.addEventListener('change', () => (box.checked ? chosen.add(name) : chosen.delete(name)))
        element.replaceChildren(
          make('label', { class: 'member' }, face(name), make('span', { class: 'name' }, name), box),
        )
      },
    })
  }
  const find = async () => {
    const wanted = field.input.value.trim()
    const found =
      wanted === '' ? known : (await chat.people.findPeople(wanted)).map(({ username }) => username)
    if (field.input.value.trim() === wanted) render(found)
  }
  field.input.addEventListener('input', () => void find())
  // Enter here looks for people, it does not end the dialog.
  field.input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') event.preventDefault()
  })
  render(known)
  return { parts: [field.row, rows], chosen: () => [...chosen] }
}

/** Sets or changes my password. */
export const passwordDialog = async (chat: Chat) => {
  const { has_password } = await chat.people.getMe()
  const current = fieldOf('current-password', 'Password now', {
    type: 'password',
    autocomplete: 'current-password',
    required: true,
  })
  const next = fieldOf('new-password', has_password ? 'New password' : 'Password', {
    type: 'password',
    autocomplete: 'new-password',
    required: true,
    maxlength: 256,
  })
  const words = 'Whoever logs in by your name will need it. Your other devices are logged out.'
  openDialog(
    has_password ? 'Change password' : 'Set a password',
    [make('p', {}, words), ...(has_password ? [current.row] : []), next.row],
    [
      {
        label: 'Save',
        isPrimary: true,
        act: async () => {
          await chat.people.setPassword(next.input.value, has_password ? current.input.value : undefined)
          chat.tell('Your password is set.')
        },
      },
    ],
  )
}

/** Whom I block, and how to end it. */
export const blocksDialog = (chat: Chat) => {
  const names = [...chat.store.blocked].toSorted((a, b) => a.localeCompare(b))
  const rows = names.map((name) => {
    const button = make(
      'button',
      { type: 'button', class: 'plain', 'aria-label': `Unblock ${name}` },
      'Unblock',
    )
    button.addEventListener('click', () => {
      void chat.attempt(() => chat.people.unblock(name)).then(() => blocksDialog(chat))
    })
    return make('li', { class: 'member' }, face(name), make('span', { class: 'name' }, name), button)
  })
  openDialog('Blocked people', [
    rows.length > 0
      ? make('ul', { 'aria-label': 'Blocked people' }, ...rows)
      : make('p', {}, 'You block nobody.'),
  ])
}
