import {
  type Events,
  type Message,
  Messenger,
  MessengerError,
  newClientId,
  type ProfileChange,
  type Session,
  type State,
  webStorage,
} from '@messenger/client'
import { Conversations } from './conversations.ts'
import { Directory } from './directory.ts'
import { applyEvents, pendingOf } from './events.ts'
import { History } from './history.ts'
import { Marks } from './marks.ts'
import { createPresenceWatch } from './presence.ts'
import { isSameRoute, type Route } from './route.ts'
import { siteStorage } from './site-storage.ts'
import { type Pending, Store } from './store.ts'
import { isAtReadMark } from './unread.ts'

type ChatListeners = {
  /** Shows a text to the user. */
  notify: (text: string) => void
  /** Passes a text to screen readers. */
  announce: (text: string) => void
  onState: (state: State) => void
  onSession: (session: Session) => void
  onSignedOut: () => void
}

/** The session of one user: the store, and the actions that views call. */
export class Chat {
  readonly store: Store
  readonly directory: Directory
  readonly history: History
  readonly #conversations: Conversations
  readonly #messenger: Messenger
  readonly #listeners: ChatListeners
  readonly #marks: Marks
  readonly #watchPresence: () => void
  /** The route of the store whose conversation was requested. */
  #requestedRoute: Route | undefined

  constructor(session: Session, listeners: ChatListeners) {
    this.#listeners = listeners
    this.#messenger = new Messenger({
      session,
      ...(siteStorage && { storage: webStorage(siteStorage, `messenger.${session.user.id}`) }),
    })
    this.store = new Store(session.user, this.#messenger.profiles)
    const { store } = this
    const messenger = this.#messenger
    const { api } = messenger
    this.#marks = new Marks(messenger, store)
    this.history = new History(api, store)
    this.#conversations = new Conversations(api, store, this.#marks)
    this.directory = new Directory(api, store, {
      attempt: (work) => this.attempt(work),
      refresh: (id) => this.#conversations.refresh(id),
    })
    this.#watchPresence = createPresenceWatch(messenger, store)
    applyEvents({
      messenger,
      store,
      marks: this.#marks,
      history: this.history,
      conversations: this.#conversations,
      directory: this.directory,
      onMessage: ({ sender, content }) => listeners.announce(`${store.nameOf(sender)}: ${content}`),
      onState: (change) => this.#setState(change),
      onReset: () => void this.#load(),
      onSendFailed: ({ message }) => this.notify(message),
    })
    messenger.on('session', ({ session }) => listeners.onSession(session))
    store.subscribe(() => this.#loadMissing())
  }

  /** Loads the conversations, then connects and stays connected. Retries until the server answers. */
  async start(): Promise<void> {
    const cursor = await this.#load()
    if (cursor === undefined) return
    await this.#messenger.connect({ cursor }).catch(() => {})
    for (const entry of this.#messenger.outbox) this.store.putPending(pendingOf(entry))
  }

  /** Whether the conversations are loaded. */
  get isLoaded() {
    return this.#conversations.isLoaded
  }

  /** Opens a conversation, at the first unread message if there is one. */
  open(route: Route | undefined) {
    this.store.route = route
    const { current } = this.store
    if (current && !isAtReadMark(this.store, current.id)) this.store.timelines.delete(current.id)
    this.#requestedRoute = undefined
    this.store.changed()
  }

  send(content: string, reply_to: number | undefined) {
    const { route } = this.store
    if (!route) return
    const timestamp = new Date().toISOString()
    this.retry({ client_id: newClientId(), route, content, reply_to, timestamp })
  }

  /** Sends a refused message again. The same `client_id` prevents a duplicate. */
  retry({ client_id, route, content, reply_to, timestamp }: Pending) {
    this.store.putPending({ client_id, route, content, reply_to, timestamp })
    const to = 'peer' in route ? { receiver_username: route.peer } : { conversation_id: route.group }
    // The events `sent` and `send_failed` report the result.
    this.#messenger.send({ ...to, client_id, content, ...(reply_to && { reply_to }) }).catch(() => {})
  }

  discard({ client_id }: Pending) {
    this.store.removePending(client_id)
  }

  edit(message: Message, content: string) {
    void this.attempt(() => this.#messenger.edit(message.id, content))
  }

  delete(message: Message) {
    void this.attempt(() => this.#messenger.delete(message.id))
  }

  typing() {
    const { current } = this.store
    if (current) this.#messenger.typing(current.id)
  }

  get canWrite() {
    return this.writeProblem === undefined
  }

  /** Why this user cannot write to the open conversation; undefined if they can. */
  get writeProblem(): string | undefined {
    const { route, current, blocked } = this.store
    if (current?.kind === 'group' && !current.role) {
      return 'You are no longer in this group. Only its owner can add you again.'
    }
    if (route && 'group' in route && !current && this.isLoaded) {
      return 'This group does not exist, or you were never in it. Choose another conversation.'
    }
    const name = current?.peer ?? (route && 'peer' in route ? route.peer : '')
    const shown = this.store.nameOf(name)
    return blocked.has(name) ? `You have blocked ${shown}. Unblock ${shown} to write again.` : undefined
  }

  /** The length limit of a message, in characters. */
  get maxLength() {
    return this.#messenger.hello?.limits.max_message_length ?? 4096
  }

  /** @param notice the text to show after the copy */
  copy(text: string, notice?: string) {
    void this.attempt(async () => {
      // A page from another machine over plain HTTP has no clipboard API.
      if (!navigator.clipboard) {
        throw new Error(
          'The browser cannot copy on a page without HTTPS. Select the text and copy it yourself.',
        )
      }
      await navigator.clipboard.writeText(text)
      if (notice !== undefined) this.notify(notice)
    })
  }

  markRead(id: number, read_up_to: number) {
    const conversation = this.store.conversations.get(id)
    if (!conversation || conversation.unread_count === 0 || read_up_to <= conversation.read_up_to) return
    const { username } = this.store.me
    this.store.putMarks(id, { username, delivered_up_to: read_up_to, read_up_to })
    this.#marks.advance(id, { read_up_to })
  }

  async loadMoreConversations(): Promise<void> {
    await this.attempt(() => this.#conversations.loadMore())
  }

  async setProfile(change: ProfileChange): Promise<void> {
    await this.#messenger.updateProfile(change)
    this.notify('Profile saved.')
  }

  /** @throws MessengerError if the request fails. The tokens stay valid and the user stays logged in. */
  async logout(everywhere: boolean): Promise<void> {
    await this.#messenger.logout({ everywhere })
    this.#listeners.onSignedOut()
  }

  notify(text: string) {
    this.#listeners.notify(text)
  }

  /** Runs `work` and shows the error if it fails. @returns its result; undefined after an error */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof MessengerError && error.code === 'CLOSED') return undefined
      this.notify(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  /** @returns the cursor of the event stream; undefined if the session has ended */
  async #load(): Promise<string | undefined> {
    try {
      return await this.#conversations.load(() => this.#listeners.onState('waiting'))
    } catch {
      this.#listeners.onSignedOut()
      return undefined
    }
  }

  #setState({ state, error }: Events['state']) {
    this.#listeners.onState(state)
    if (state !== 'stopped') return
    if (error?.code === 'SIGNED_OUT' || error?.code === 'UNAUTHORIZED') this.#listeners.onSignedOut()
    else if (error) this.notify(error.message)
  }

  /** Requests the data of the open conversation that is not loaded. */
  #loadMissing() {
    const { store } = this
    const { route, current } = store
    this.#watchPresence()
    if (!this.isLoaded || !route) return
    if (!current) {
      void this.#loadRoute(route)
      return
    }
    if (!store.timeline(current.id).isLoaded) void this.history.load(current.id)
    if (current.kind === 'group' && current.role && !store.members.has(current.id)) {
      store.members.set(current.id, [])
      void this.directory.loadMembers(current.id)
    }
  }

  /** Loads the conversation of the open route, once per route. */
  async #loadRoute(route: Route): Promise<void> {
    if (this.#requestedRoute === route) return
    this.#requestedRoute = route
    try {
      await this.#conversations.loadRoute(route)
    } catch (error) {
      if (!(error instanceof MessengerError) || error.retryable) this.#requestedRoute = undefined
      else if (isSameRoute(route, this.store.route)) {
        this.notify(error.message)
        location.hash = ''
      }
    }
  }
}
