import {
  type Conversation,
  type Events,
  type Message,
  Messenger,
  MessengerError,
  newClientId,
  type OutboxEntry,
  type Session,
  type State,
  unwrap,
  webStorage,
} from '@messenger/client'
import { History } from './history.ts'
import { Marks } from './marks.ts'
import { People } from './people.ts'
import { siteData } from './site-data.ts'
import { type Place, placeOf, samePlace, Store, type Waiting } from './store.ts'

const CONVERSATIONS = 50
/** Milliseconds until something that failed is tried again. */
const AGAIN_MS = 2000
/** People whose presence the server tells at most. */
const WATCHED = 100

type Reports = {
  /** Says something to the one who looks at the page. */
  tell: (text: string) => void
  /** Says it to one who listens. */
  announce: (text: string) => void
  onState: (state: State) => void
  onSession: (session: Session) => void
  onSignedOut: () => void
}

/** What the page does: it keeps the store true to the server, and does what the views ask for. */
export class Chat {
  readonly store: Store
  readonly people: People
  readonly history: History
  /** Whether the conversations are there. */
  isLoaded = false
  readonly #messenger: Messenger
  readonly #reports: Reports
  readonly #marks: Marks
  readonly #refreshes = new Map<number, Promise<void>>()
  #watched = ''
  #isLost = false

  constructor(session: Session, reports: Reports) {
    this.#reports = reports
    this.store = new Store(session.user)
    this.#messenger = new Messenger({
      session,
      ...(siteData && { storage: webStorage(siteData, `messenger.${session.user.id}`) }),
    })
    this.#marks = new Marks(this.#messenger, this.store)
    this.history = new History(this.#messenger.api, this.store)
    this.people = new People(this.#messenger.api, this.store, {
      attempt: (work) => this.attempt(work),
      refresh: (id) => this.#refresh(id),
    })
    this.#listen()
    this.store.subscribe(() => this.#tend())
  }

  /** Loads the conversations and connects; waits for the server as long as that takes. */
  async start(): Promise<void> {
    const cursor = await this.#load()
    if (cursor === undefined) return
    for (const entry of await this.#connect(cursor)) this.store.putWaiting(asWaiting(entry))
  }

  /** Tries now, where the next attempt is still to come: the network is back, or somebody looks. */
  wake() {
    if (this.isLoaded && !this.store.isConnected) this.#messenger.connect().catch(() => {})
  }

  open(place: Place | undefined) {
    this.store.place = place
    const { current } = this.store
    if (current && !this.store.isAtMark(current.id)) this.store.threads.delete(current.id)
    this.#isLost = false
    this.store.changed()
  }

  // What is written

  send(content: string, reply_to: number | undefined) {
    const { place } = this.store
    if (!place) return
    const timestamp = new Date().toISOString()
    this.sendAgain({ client_id: newClientId(), place, content, reply_to, timestamp })
  }

  /** Sends what was not taken once more: as the same message, so that it can't be there twice. */
  sendAgain({ client_id, place, content, reply_to, timestamp }: Waiting) {
    this.store.putWaiting({ client_id, place, content, reply_to, timestamp })
    const to = 'peer' in place ? { receiver_username: place.peer } : { conversation_id: place.group }
    // What comes of it is told by events.
    this.#messenger.send({ ...to, client_id, content, ...(reply_to && { reply_to }) }).catch(() => {})
  }

  discard({ client_id }: Waiting) {
    this.store.dropWaiting(client_id)
  }

  edit(message: Message, content: string) {
    void this.attempt(() => this.#messenger.edit(message.id, content))
  }

  remove(message: Message) {
    void this.attempt(() => this.#messenger.delete(message.id))
  }

  typing() {
    const { current } = this.store
    if (current) this.#messenger.typing(current.id)
  }

  canWrite() {
    return this.whyNotWrite() === undefined
  }

  /** Why nothing can be written here. */
  whyNotWrite(): string | undefined {
    const { place, current, blocked } = this.store
    if (current?.kind === 'group' && !current.role) return 'You are no longer in this group.'
    if (place && 'group' in place && !current && this.isLoaded) return 'There is no such group.'
    const name = current?.peer ?? (place && 'peer' in place ? place.peer : '')
    return blocked.has(name) ? `You have blocked ${name}.` : undefined
  }

  get maxLength() {
    return this.#messenger.hello?.limits.max_message_length ?? 4096
  }

  /** @param said what is told once the text is copied */
  copy(text: string, said?: string) {
    void this.attempt(async () => {
      // Absent on a page that came over plain HTTP from another machine.
      if (!navigator.clipboard) throw new Error('The browser allows copying on a page over HTTPS only.')
      await navigator.clipboard.writeText(text)
      if (said !== undefined) this.tell(said)
    })
  }

  // What is read

  markRead(id: number, read_up_to: number) {
    const conversation = this.store.conversations.get(id)
    if (!conversation || conversation.unread_count === 0 || read_up_to <= conversation.read_up_to) return
    const { username } = this.store.me
    this.store.putMarks(id, { username, delivered_up_to: read_up_to, read_up_to })
    this.#marks.move(id, { read_up_to })
  }

  async loadMoreConversations(): Promise<void> {
    const { before } = this.store
    if (before === undefined) return
    await this.attempt(async () => {
      const page = await unwrap(
        this.#api.GET('/conversations', { params: { query: { limit: CONVERSATIONS, before } } }),
      )
      for (const conversation of page.conversations) this.store.putConversation(conversation)
      this.store.before = page.before
    })
  }

  /** @throws MessengerError where the server could not do it: the tokens hold then, and one stays logged in. */
  async logout(everywhere: boolean): Promise<void> {
    await this.#messenger.logout({ everywhere })
    this.#reports.onSignedOut()
  }

  tell(text: string) {
    this.#reports.tell(text)
  }

  /** Does something; where that fails, says why. */
  async attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof MessengerError && error.code === 'CLOSED') return undefined
      this.tell(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  get #api() {
    return this.#messenger.api
  }

  async #connect(cursor: string): Promise<readonly OutboxEntry[]> {
    await this.#messenger.connect({ cursor }).catch(() => {})
    return this.#messenger.outbox
  }

  #listen() {
    const messenger = this.#messenger
    messenger.on('message', (frame) => this.#receive(frame))
    messenger.on('message_updated', (message) => this.#revise(message))
    messenger.on('receipt', ({ conversation_id, ...marks }) => {
      if (this.store.putMarks(conversation_id, marks)) void this.#refresh(conversation_id)
    })
    messenger.on('conversation', ({ conversation_id: id, kind, you }) => {
      // Edits made while one was out of a group are not told: what is shown of it is loaded anew.
      if (kind === 'group' && you === 'joined') this.history.forget(id)
      void this.#refresh(id)
      if (this.store.members.has(id)) void this.people.loadMembers(id)
    })
    messenger.on('typing', ({ conversation_id, username }) =>
      this.store.startTyping(conversation_id, username),
    )
    messenger.on('presence', ({ username, online, last_seen }) => {
      this.store.presence.set(username, { online, last_seen })
      this.store.changed()
    })
    messenger.on('reset', () => {
      this.store.forget()
      this.history.forgetAll()
      void this.#load()
    })
    messenger.on('sent', ({ client_id, message }) => {
      this.store.dropWaiting(client_id)
      this.#put(message)
    })
    messenger.on('send_failed', ({ entry, error }) => this.#refuse(entry, error.message))
    messenger.on('state', (change) => this.#setState(change))
    messenger.on('session', ({ session }) => this.#reports.onSession(session))
  }

  #receive(message: Message) {
    this.#put(message)
    const { sender, sender_id, conversation_id, content, id } = message
    if (sender_id === this.store.me.id) return
    this.#marks.move(conversation_id, { delivered_up_to: id })
    if (!message.deleted_at) this.#reports.announce(`${sender}: ${content}`)
  }

  #put(message: Message) {
    const { conversation_id: id } = message
    if (!this.store.conversations.has(id)) {
      this.store.begin(message)
      void this.#refresh(id)
    }
    this.store.putMessage(message)
  }

  #revise(message: Message) {
    this.history.revise(message)
    const conversation = this.store.conversations.get(message.conversation_id)
    this.#put(message)
    // A deleted message no longer counts as unread.
    const isUnread = conversation && message.id > conversation.read_up_to
    if (isUnread && message.deleted_at && message.sender_id !== this.store.me.id) {
      void this.#refresh(message.conversation_id)
    }
  }

  #refuse(entry: OutboxEntry, problem: string) {
    const waiting = this.store.waitingOf(entry.client_id) ?? asWaiting(entry)
    this.store.putWaiting({ ...waiting, problem: 'not sent' })
    this.tell(problem)
  }

  #setState({ state, error }: Events['state']) {
    const { store } = this
    store.isConnected = state === 'online' || state === 'catching_up'
    if (!store.isConnected) store.presence.clear()
    if (store.isConnected) this.#marks.flush()
    store.changed()
    this.#reports.onState(state)
    if (state !== 'stopped') return
    if (error?.code === 'SIGNED_OUT' || error?.code === 'UNAUTHORIZED') this.#reports.onSignedOut()
    else if (error) this.tell(error.message)
  }

  /** @returns where the stream goes on; undefined when I am signed out */
  async #load(): Promise<string | undefined> {
    for (;;) {
      try {
        const page = await unwrap(
          this.#api.GET('/conversations', { params: { query: { limit: CONVERSATIONS } } }),
        )
        const { blocks } = await unwrap(this.#api.GET('/blocks', {}))
        for (const { username } of blocks) this.store.blocked.add(username)
        for (const conversation of page.conversations) {
          this.store.putConversation(conversation)
          this.#markDelivered(conversation)
        }
        this.store.before = page.before
        this.isLoaded = true
        this.store.changed()
        return page.cursor
      } catch (error) {
        if (error instanceof MessengerError && error.code === 'UNAUTHORIZED') {
          this.#reports.onSignedOut()
          return undefined
        }
        this.#reports.onState('waiting')
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  #markDelivered({ id, kind, role, last_message, delivered_up_to }: Conversation) {
    if (!last_message || last_message.id <= delivered_up_to || (kind === 'group' && !role)) return
    if (last_message.sender_id !== this.store.me.id)
      this.#marks.move(id, { delivered_up_to: last_message.id })
  }

  /** Takes a conversation as the server has it; several wishes for that in one go are one. */
  #refresh(id: number): Promise<void> {
    const running = this.#refreshes.get(id)
    if (running) return running
    const refresh = (async () => {
      // What comes together is asked for together.
      await new Promise((resolve) => setTimeout(resolve, 30))
      this.#refreshes.delete(id)
      try {
        const conversation = await unwrap(this.#api.GET('/conversations/{id}', { params: { path: { id } } }))
        const known = this.store.conversations.get(id)
        this.store.putConversation(conversation)
        if (!known) this.#markDelivered(conversation)
        // Something newer came by the stream while this was on its way.
        if ((known?.last_message?.id ?? 0) > (conversation.last_message?.id ?? 0)) await this.#refresh(id)
      } catch (error) {
        if (!(error instanceof MessengerError && error.retryable)) return
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
        await this.#refresh(id)
      }
    })()
    this.#refreshes.set(id, refresh)
    return refresh
  }

  /** Sees to it that what is shown is there. */
  #tend() {
    const { store } = this
    const { place, current } = store
    this.#watch()
    if (!this.isLoaded || !place) return
    if (!current) {
      void this.#findPlace(place)
      return
    }
    const thread = store.thread(current.id)
    if (!thread.isLoaded) void this.history.load(current.id)
    if (current.kind === 'group' && current.role && !store.members.has(current.id)) {
      store.members.set(current.id, [])
      void this.people.loadMembers(current.id)
    }
  }

  /** A conversation that is not among those that were loaded. */
  async #findPlace(place: Place): Promise<void> {
    if (this.#isLost) return
    this.#isLost = true
    if ('group' in place) {
      await this.#refresh(place.group)
      return
    }
    const { peer: username } = place
    try {
      const [message] = await unwrap(
        this.#api.GET('/history/{username}', { params: { path: { username }, query: { limit: 1 } } }),
      )
      if (message) await this.#refresh(message.conversation_id)
    } catch (error) {
      if (!(error instanceof MessengerError) || error.retryable) this.#isLost = false
      else if (samePlace(place, this.store.place)) {
        this.tell(error.message)
        location.hash = ''
      }
    }
  }

  #watch() {
    const names = this.store.sorted.flatMap(({ kind, peer }) =>
      kind === 'direct' && peer && peer !== this.store.me.username ? [peer] : [],
    )
    const { place } = this.store
    const members = place && 'group' in place ? (this.store.members.get(place.group) ?? []) : []
    const all = [
      ...new Set([...names.slice(0, WATCHED / 2), ...members.map(({ username }) => username), ...names]),
    ]
    const list = all.filter((name) => name !== this.store.me.username).slice(0, WATCHED)
    const key = list.toSorted(byCode).join(' ')
    if (key === this.#watched) return
    this.#watched = key
    this.#messenger.watch(list)
  }
}

const byCode = (a: string, b: string) => (a < b ? -1 : 1)

const asWaiting = ({
  client_id,
  content,
  reply_to,
  receiver_username,
  conversation_id,
}: OutboxEntry): Waiting => ({
  client_id,
  content,
  reply_to,
  place: placeOf(
    receiver_username === undefined
      ? { id: conversation_id as number, kind: 'group' }
      : { id: 0, kind: 'direct', peer: receiver_username },
  ),
  timestamp: new Date().toISOString(),
})
