import { type Conversation, newClientId } from '@messenger/client'
import { avatar } from './avatar.ts'
import type { Chat } from './chat.ts'
import { labelledInput, openConfirmation, openDialog } from './dialog.ts'
import { make, reconcile } from './dom.ts'
import { plural } from './format.ts'
import { bothNames } from './names.ts'
import { titleOf } from './route.ts'

export const newGroupDialog = (chat: Chat) => {
  // A retry after a lost reply repeats the key, so that it cannot create a second group.
  const keys = new Map<string, string>()
  const title = labelledInput('group-title', 'Title', { maxlength: 128, required: true })
  const people = peoplePicker(chat, [])
  openDialog(
    'Create group',
    [title.row, ...people.parts],
    [
      {
        label: 'Create',
        isPrimary: true,
        run: () => {
          const group = { title: title.input.value.trim(), members: people.chosen() }
          const request = JSON.stringify(group)
          const key = keys.get(request) ?? newClientId()
          keys.set(request, key)
          return chat.directory.createGroup(group, key)
        },
      },
    ],
  )
}

/** Shows the details of the open conversation and the actions on it. */
export const aboutDialog = (chat: Chat) => {
  const { route, current } = chat.store
  if (current?.kind === 'group') void groupDialog(chat, current)
  else if (route && 'peer' in route) personDialog(chat, current ? titleOf(current) : route.peer)
}

const personDialog = (chat: Chat, name: string) => {
  const isMe = name === chat.store.me.username
  const isBlocked = chat.store.blocked.has(name)
  const shown = chat.store.nameOf(name)
  const text = isMe
    ? 'Only you can read this conversation.'
    : isBlocked
      ? `You have blocked ${shown}. Neither of you can write to the other.`
      : `If you block ${shown}, neither of you can write to the other or see whether the other is typing or online.`
  openDialog(
    shown,
    [shown !== name && make('p', { class: 'username' }, name), make('p', {}, text)].filter(
      (part) => part !== false,
    ),
    isMe
      ? []
      : [
          isBlocked
            ? { label: `Unblock ${shown}`, run: () => chat.directory.unblock(name) }
            : { label: `Block ${shown}…`, isDangerous: true, run: () => confirmBlock(chat, name) },
        ],
  )
}

const confirmBlock = (chat: Chat, name: string) =>
  openConfirmation(
    `Block ${chat.store.nameOf(name)}?`,
    `Neither of you can write to the other until you unblock ${name}.`,
    'Block',
    () => chat.directory.block(name),
  )

const confirmLeave = (chat: Chat, group: Conversation) =>
  openConfirmation(
    `Leave ${titleOf(group)}?`,
    group.role === 'owner' && group.member_count > 1
      ? 'You receive no further messages. The member who joined first becomes the owner and can add you again.'
      : 'You receive no further messages. Only the owner can add you again.',
    'Leave',
    () => chat.directory.removeMember(group.id, chat.store.me.username),
  )

const confirmRemove = (chat: Chat, group: Conversation, name: string, onRemoved: () => void) =>
  openConfirmation(
    `Remove ${chat.store.nameOf(name)}?`,
    `${name} receives no further messages of ${titleOf(group)}, but can still read the earlier ones.`,
    'Remove',
    async () => {
      await chat.directory.removeMember(group.id, name)
      onRemoved()
    },
  )

const groupDialog = async (chat: Chat, group: Conversation) => {
  const members = await chat.directory.loadMembers(group.id)
  const isOwner = group.role === 'owner'
  const { me } = chat.store
  const reopen = () => {
    const current = chat.store.conversations.get(group.id)
    if (current) void groupDialog(chat, current)
  }
  const rows = members.map(({ username, role }) => {
    const canRemove = isOwner && username !== me.username
    const remove = make('button', { type: 'button', class: 'plain is-dangerous' }, 'Remove')
    remove.setAttribute('aria-label', `Remove ${username}`)
    remove.addEventListener('click', () => confirmRemove(chat, group, username, reopen))
    return make(
      'li',
      { class: 'member' },
      avatar(chat.store, username, { isOnline: chat.store.presence.get(username)?.online ?? false }),
      ...bothNames(chat.store, username),
      role === 'owner' && make('small', {}, 'owner'),
      canRemove && remove,
    )
  })
  const text = group.role ? plural(group.member_count, 'member') : 'You are no longer in this group.'
  openDialog(
    titleOf(group),
    [make('p', {}, text), make('ul', { 'aria-label': 'Members' }, ...rows)],
    group.role
      ? [
          { label: 'Leave…', isDangerous: true, run: () => confirmLeave(chat, group) },
          ...(isOwner
            ? [
                { label: 'Rename', run: () => queueMicrotask(() => renameDialog(chat, group)) },
                { label: 'Add people', run: () => queueMicrotask(() => addDialog(chat, group)) },
              ]
            : []),
        ]
      : [],
  )
}

const renameDialog = (chat: Chat, group: Conversation) => {
  const title = labelledInput('group-title', 'Title', {
    maxlength: 128,
    required: true,
    value: titleOf(group),
  })
  openDialog(
    'Rename group',
    [title.row],
    [
      {
        label: 'Save',
        isPrimary: true,
        run: () => chat.directory.renameGroup(group.id, title.input.value.trim()),
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
      run: async () => {
        for (const name of people.chosen()) await chat.directory.addMember(group.id, name)
      },
    },
  ])
}

/** @returns a search field for users and a list of checkboxes. Checked users stay in the list. */
const peoplePicker = (chat: Chat, excluded: readonly string[]) => {
  const field = labelledInput('find-people', 'People', { placeholder: 'Find by name', type: 'search' })
  const rows = make('ul', { 'aria-label': 'Search results' })
  const chosen = new Set<string>()
  const hidden = new Set([...excluded, chat.store.me.username])
  const known = chat.store.sorted.flatMap(({ kind, peer }) => (kind === 'direct' && peer ? [peer] : []))
  const render = (found: readonly string[]) => {
    const names = [...new Set([...chosen, ...found])].filter((name) => !hidden.has(name))
    reconcile(rows, names, {
      key: (name) => name,
      fingerprint: (name) => JSON.stringify([name, chat.store.profiles.peek(name)]),
      make: () => make('li'),
      fill: (element, name) => {
        const box = make('input', { type: 'checkbox' })
        box.addEventListener('change', () => (box.checked ? chosen.add(name) : chosen.delete(name)))
        element.replaceChildren(
          make('label', { class: 'member' }, avatar(chat.store, name), ...bothNames(chat.store, name), box),
        )
      },
    })
  }
  const find = async () => {
    const wanted = field.input.value.trim()
    const found =
      wanted === '' ? known : (await chat.directory.findUsers(wanted)).map(({ username }) => username)
    if (field.input.value.trim() === wanted) render(found)
  }
  field.input.addEventListener('input', () => void find())
  // Enter must not submit the dialog while the user searches.
  field.input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') event.preventDefault()
  })
  render(known)
  return { parts: [field.row, rows], chosen: () => [...chosen] }
}

export const passwordDialog = async (chat: Chat) => {
  const { has_password } = await chat.directory.getMe()
  const current = labelledInput('current-password', 'Current password', {
    type: 'password',
    autocomplete: 'current-password',
    required: true,
  })
  const next = labelledInput('new-password', has_password ? 'New password' : 'Password', {
    type: 'password',
    autocomplete: 'new-password',
    required: true,
    maxlength: 256,
  })
  const text = 'Every login with your name needs this password. Saving it logs out your other devices.'
  openDialog(
    has_password ? 'Change password' : 'Set password',
    [make('p', {}, text), ...(has_password ? [current.row] : []), next.row],
    [
      {
        label: 'Save',
        isPrimary: true,
        run: async () => {
          await chat.directory.setPassword(next.input.value, has_password ? current.input.value : undefined)
          chat.notify('Password saved.')
        },
      },
    ],
  )
}

export const blocksDialog = (chat: Chat) => {
  const names = [...chat.store.blocked].toSorted((a, b) => a.localeCompare(b))
  const rows = names.map((name) => {
    const button = make(
      'button',
      { type: 'button', class: 'plain', 'aria-label': `Unblock ${name}` },
      'Unblock',
    )
    button.addEventListener('click', () => {
      void chat.attempt(() => chat.directory.unblock(name)).then(() => blocksDialog(chat))
    })
    return make('li', { class: 'member' }, avatar(chat.store, name), ...bothNames(chat.store, name), button)
  })
  openDialog('Blocked people', [
    rows.length > 0
      ? make('ul', { 'aria-label': 'Blocked people' }, ...rows)
      : make('p', {}, 'You have not blocked anyone.'),
  ])
}
