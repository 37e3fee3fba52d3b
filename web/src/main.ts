import { login, MessengerError, type Session, type State } from '@messenger/client'
import { Chat } from './chat.ts'
import { createComposer } from './composer.ts'
import { openDialog } from './dialog.ts'
import { aboutDialog, blocksDialog, newGroupDialog, passwordDialog } from './dialogs.ts'
import { byId, make, setText } from './dom.ts'
import { type Refused, showLogin } from './login.ts'
import { openMenu } from './menu.ts'
import { createSidebar } from './sidebar.ts'
import { siteData } from './site-data.ts'
import { placeKey, readPlace } from './store.ts'
import { createThread } from './thread.ts'
import { excerpt } from './words.ts'

const SESSION = 'messenger.session'
/** Milliseconds after which it is said that there is no connection: most come back before. */
const PATIENCE_MS = 700
const TOAST_MS = 5000

const main = () => {
  const session = readSession()
  if (session) begin(session)
  else showLogin(enter)
}

const enter = async (username: string, password?: string): Promise<Refused | undefined> => {
  try {
    const session = await login(location.origin, { username, ...(password !== undefined && { password }) })
    keepSession(session)
    begin(session)
    return undefined
  } catch (error) {
    if (!(error instanceof MessengerError)) throw error
    return { code: error.code, message: error.message }
  }
}

const begin = (session: Session) => {
  byId('app').hidden = false
  const chat = new Chat(session, {
    tell,
    announce: (text) => setText(byId('announcer'), excerpt(text)),
    onState: showState,
    onSession: keepSession,
    onSignedOut: () => {
      siteData?.removeItem(SESSION)
      location.reload()
    },
  })
  const { store } = chat
  const composer = createComposer(chat, { onSent: () => thread.follow() })
  const thread = createThread(chat, { compose: composer })
  const sidebar = createSidebar(chat)

  const render = () => {
    // First: on a phone a thread that is hidden can't be measured.
    byId('app').dataset.pane = store.place ? 'thread' : 'list'
    sidebar.render()
    thread.render()
    composer.render()
    document.title = store.unread > 0 ? `(${store.unread}) Messenger` : 'Messenger'
  }

  const go = () => {
    const before = store.place
    const place = readPlace(location.hash)
    chat.open(place)
    queueMicrotask(() => {
      // On a screen with keys, one goes on by writing; on a phone the keys would hide what there is to read.
      if (place && !matchMedia('(hover: none)').matches) composer.focus()
      else if (place) byId('log').focus({ preventScroll: true })
      else if (before) document.querySelector<HTMLElement>(`a[href="#${placeKey(before)}"]`)?.focus()
    })
  }

  store.subscribe(render)
  addEventListener('hashchange', go)
  addEventListener('online', () => chat.wake())
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && chat.wake())
  addEventListener('keydown', (event) => {
    const isFind = (event.ctrlKey || event.metaKey) && event.key === 'k'
    if (!isFind) return
    event.preventDefault()
    sidebar.focus()
  })
  byId('back').addEventListener('click', () => {
    location.hash = ''
  })
  byId('about').addEventListener('click', () => aboutDialog(chat))
  byId('new-group').addEventListener('click', () => newGroupDialog(chat))
  byId('me').addEventListener('click', () => openMyMenu(chat))

  go()
  render()
  void chat.start()
}

const openMyMenu = (chat: Chat) =>
  openMenu(byId('me'), [
    {
      label: 'Notes to myself',
      act: () => {
        location.hash = placeKey({ peer: chat.store.me.username })
      },
    },
    { label: 'Password…', act: () => void chat.attempt(() => passwordDialog(chat)) },
    { label: 'Blocked people…', act: () => blocksDialog(chat) },
    { label: 'Log out', act: () => void chat.attempt(() => chat.logout(false)) },
    {
      label: 'Log out everywhere…',
      isDangerous: true,
      act: () =>
        openDialog(
          'Log out everywhere?',
          [make('p', {}, 'Every device on which you are logged in will ask for your name again.')],
          [{ label: 'Log out', isPrimary: true, act: () => chat.logout(true) }],
        ),
    },
  ])

let banner: ReturnType<typeof setTimeout> | undefined

const showState = (state: State) => {
  const isOnline = state === 'online' || state === 'catching_up'
  if (isOnline) {
    clearTimeout(banner)
    banner = undefined
    setText(byId('banner'), '')
  } else if (state !== 'closed') {
    banner ??= setTimeout(
      () => setText(byId('banner'), 'No connection. What you write is kept, and sent when it is back.'),
      PATIENCE_MS,
    )
  }
}

let toast: ReturnType<typeof setTimeout> | undefined

const tell = (text: string) => {
  setText(byId('toast'), text)
  clearTimeout(toast)
  toast = setTimeout(() => setText(byId('toast'), ''), TOAST_MS)
}

const keepSession = (session: Session) => {
  try {
    siteData?.setItem(SESSION, JSON.stringify(session))
  } catch {
    tell('This browser has no room for your login: a reload will ask for your name again.')
  }
}

const readSession = (): Session | undefined => {
  try {
    const text = siteData?.getItem(SESSION) ?? null
    return text === null ? undefined : (JSON.parse(text) as Session)
  } catch {
    return undefined
  }
}

main()
