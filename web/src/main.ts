import { login, MessengerError, type Session, type State } from '@messenger/client'
import { Chat } from './chat.ts'
import { createComposer } from './composer.ts'
import { openConfirmation } from './dialog.ts'
import { aboutDialog, blocksDialog, newGroupDialog, passwordDialog } from './dialogs.ts'
import { byId, setText } from './dom.ts'
import { excerpt } from './format.ts'
import { type LoginError, showLogin } from './login.ts'
import { openMenu } from './menu.ts'
import { profileDialog } from './profile-dialog.ts'
import { createSidebar } from './sidebar.ts'
import { parseRoute, routeHash } from './route.ts'
import { siteStorage } from './site-storage.ts'
import { createThread } from './thread.ts'

/** The storage key of the session. */
const SESSION = 'messenger.session'
/** Milliseconds without a connection until the banner appears. Most reconnections are faster. */
const BANNER_DELAY_MS = 700
const TOAST_MS = 5000

const main = () => {
  const session = readSession()
  if (session) startChat(session)
  else showLogin(logIn)
}

const logIn = async (username: string, password?: string): Promise<LoginError | undefined> => {
  try {
    const session = await login(location.origin, { username, ...(password !== undefined && { password }) })
    saveSession(session)
    startChat(session)
    return undefined
  } catch (error) {
    if (!(error instanceof MessengerError)) throw error
    return { code: error.code, message: error.message }
  }
}

const startChat = (session: Session) => {
  byId('app').hidden = false
  const chat = new Chat(session, {
    notify,
    announce: (text) => setText(byId('announcer'), excerpt(text)),
    onState: showConnection,
    onSession: saveSession,
    onSignedOut: () => {
      siteStorage?.removeItem(SESSION)
      location.reload()
    },
  })
  const { store } = chat
  const composer = createComposer(chat, { onSent: () => thread.follow() })
  const thread = createThread(chat, { composer })
  const sidebar = createSidebar(chat)

  const render = () => {
    // This comes first, because the rows of a hidden thread have no height on a phone.
    byId('app').dataset.pane = store.route ? 'thread' : 'list'
    sidebar.render()
    thread.render()
    composer.render()
    document.title = store.unread > 0 ? `(${store.unread}) Messenger` : 'Messenger'
  }

  const openHash = () => {
    const before = store.route
    const route = parseRoute(location.hash)
    chat.open(route)
    queueMicrotask(() => {
      // On a phone, the on-screen keyboard would hide the messages, so the log gets the focus there.
      if (route && !matchMedia('(hover: none)').matches) composer.focus()
      else if (route) byId('log').focus({ preventScroll: true })
      else if (before) document.querySelector<HTMLElement>(`a[href="#${routeHash(before)}"]`)?.focus()
    })
  }

  store.subscribe(render)
  addEventListener('hashchange', openHash)
  addEventListener('keydown', (event) => {
    const isSearchKey = (event.ctrlKey || event.metaKey) && event.key === 'k'
    if (!isSearchKey) return
    event.preventDefault()
    sidebar.focus()
  })
  byId('back').addEventListener('click', () => {
    location.hash = ''
  })
  byId('about').addEventListener('click', () => aboutDialog(chat))
  byId('new-group').addEventListener('click', () => newGroupDialog(chat))
  byId('me').addEventListener('click', () => openMyMenu(chat))

  openHash()
  render()
  void chat.start()
}

const openMyMenu = (chat: Chat) =>
  openMenu(byId('me'), [
    {
      label: 'Open notes to myself',
      run: () => {
        location.hash = routeHash({ peer: chat.store.me.username })
      },
    },
    { label: 'Edit profile…', run: () => void chat.attempt(() => profileDialog(chat)) },
    { label: 'Set password…', run: () => void chat.attempt(() => passwordDialog(chat)) },
    { label: 'Manage blocked people…', run: () => blocksDialog(chat) },
    { label: 'Log out', run: () => void chat.attempt(() => chat.logout(false)) },
    {
      label: 'Log out everywhere…',
      isDangerous: true,
      run: () =>
        openConfirmation('Log out everywhere?', 'This logs you out on all your devices.', 'Log out', () =>
          chat.logout(true),
        ),
    },
  ])

let banner: ReturnType<typeof setTimeout> | undefined

const showConnection = (state: State) => {
  const isOnline = state === 'online' || state === 'catching_up'
  if (isOnline) {
    clearTimeout(banner)
    banner = undefined
    setText(byId('banner'), '')
  } else if (state !== 'closed') {
    banner ??= setTimeout(
      () => setText(byId('banner'), 'No connection. Your messages are kept and sent after the reconnection.'),
      BANNER_DELAY_MS,
    )
  }
}

let toast: ReturnType<typeof setTimeout> | undefined

const notify = (text: string) => {
  setText(byId('toast'), text)
  clearTimeout(toast)
  toast = setTimeout(() => setText(byId('toast'), ''), TOAST_MS)
}

const saveSession = (session: Session) => {
  try {
    siteStorage?.setItem(SESSION, JSON.stringify(session))
  } catch {
    notify('Your login is not saved: the browser storage is full. Free some storage to stay logged in.')
  }
}

const readSession = (): Session | undefined => {
  try {
    const text = siteStorage?.getItem(SESSION) ?? null
    return text === null ? undefined : (JSON.parse(text) as Session)
  } catch {
    return undefined
  }
}

main()
