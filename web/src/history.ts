import { type Api, type Message, MessengerError, unwrap } from '@messenger/client'
import type { Page, Store, Thread } from './store.ts'

/** Messages of a page. */
const LIMIT = 50
/** Milliseconds until a page that failed is tried again. */
const AGAIN_MS = 2000

/** Loads threads page by page, and single messages that others answer. */
export class History {
  readonly #api: Api
  readonly #store: Store
  readonly #quotes = new Map<number, Message>()
  readonly #asked = new Set<number>()

  constructor(api: Api, store: Store) {
    this.#api = api
    this.#store = store
  }

  /** Loads a thread that was not loaded yet: around the own read mark where something is unread, else the newest. */
  load(id: number): Promise<void> {
    const { unread_count = 0, read_up_to = 0 } = this.#store.conversations.get(id) ?? {}
    return this.#run(id, () => (unread_count > 0 ? this.#getAround(id, read_up_to) : this.#get(id, {})))
  }

  loadOlder(id: number): Promise<void> {
    const { isLoaded, hasOlder, messages } = this.#store.thread(id)
    const [oldest] = messages
    if (!isLoaded || !hasOlder || !oldest) return Promise.resolve()
    return this.#run(id, async () => ({
      ...(await this.#get(id, { before: oldest.id })),
      hasNewer: undefined,
    }))
  }

  loadNewer(id: number): Promise<void> {
    const { isLoaded, messages } = this.#store.thread(id)
    const newest = messages.at(-1)
    if (!isLoaded || !newest || !this.#store.hasNewer(id)) return Promise.resolve()
    return this.#run(id, async () => {
      const page = await this.#get(id, { after: newest.id })
      // The server should have one. It is not asked again at once.
      if (page.messages.length === 0) await pause()
      return { ...page, hasOlder: undefined }
    })
  }

  /** Moves a thread to where a message stands, unless that is loaded or can't be read. */
  async showMessage(id: number, message_id: number): Promise<void> {
    const thread = await this.#settled(id)
    if (thread.messages.some((message) => message.id === message_id)) return
    await this.#run(id, async () => {
      const page = await this.#getAround(id, message_id)
      return page.messages.some((message) => message.id === message_id)
        ? { ...page, isElsewhere: true }
        : { messages: [] }
    })
  }

  /** Moves a thread to where one goes on to read: see `load`. */
  async showMark(id: number): Promise<void> {
    await this.#settled(id)
    if (this.#store.isAtMark(id)) return
    const { read_up_to = 0 } = this.#store.conversations.get(id) ?? {}
    await this.#run(id, async () => ({ ...(await this.#getAround(id, read_up_to)), isElsewhere: true }))
  }

  async showNewest(id: number): Promise<void> {
    await this.#settled(id)
    if (!this.#store.hasNewer(id)) return
    await this.#run(id, async () => ({ ...(await this.#get(id, {})), isElsewhere: true }))
  }

  /** Forgets a thread, and what others quote of it. */
  forget(id: number) {
    this.#store.threads.delete(id)
    for (const [message_id, { conversation_id }] of this.#quotes) {
      if (conversation_id !== id) continue
      this.#quotes.delete(message_id)
      this.#asked.delete(message_id)
    }
  }

  forgetAll() {
    this.#quotes.clear()
    this.#asked.clear()
  }

  /** A message was edited or deleted. */
  revise(message: Message) {
    if (this.#quotes.has(message.id)) this.#quotes.set(message.id, message)
  }

  /** @returns a message that another one answers, once it is known */
  quoted(id: number, message_id: number): Message | undefined {
    const known = this.#store.threads.get(id)?.messages.find((message) => message.id === message_id)
    if (known) return known
    if (!this.#quotes.has(message_id) && !this.#asked.has(message_id)) {
      this.#asked.add(message_id)
      void this.#loadQuote(id, message_id)
    }
    return this.#quotes.get(message_id)
  }

  /** Waits until no page is on its way to a thread. */
  async #settled(id: number): Promise<Thread> {
    const thread = this.#store.thread(id)
    while (thread.loading) await thread.loading
    return thread
  }

  /** Puts a page into a thread; one at a time, so that pages adjoin. */
  #run(id: number, read: () => Promise<Page>): Promise<void> {
    const thread = this.#store.thread(id)
    thread.loading ??= this.#load(id, thread, read)
    return thread.loading
  }

  async #load(id: number, thread: Thread, read: () => Promise<Page>): Promise<void> {
    // A thread that was forgotten meanwhile is loaded anew already.
    const put = (page: Page) => {
      if (this.#store.threads.get(id) === thread) this.#store.putPage(id, page)
    }
    try {
      put(await read())
    } catch (error) {
      const canRetry = error instanceof MessengerError && error.retryable
      if (!canRetry) put({ messages: [], hasOlder: false })
      await pause()
    } finally {
      thread.loading = undefined
      this.#store.changed()
    }
  }

  /** Reads the messages on both sides of an id. */
  async #getAround(id: number, message_id: number): Promise<Page> {
    const [older, newer] = await Promise.all([
      this.#get(id, { before: message_id + 1 }),
      this.#get(id, { after: message_id }),
    ])
    return { ...newer, messages: [...older.messages, ...newer.messages], hasOlder: older.hasOlder }
  }

  async #get(id: number, side: { before?: number; after?: number; limit?: number }): Promise<Page> {
    const query = { limit: LIMIT, ...side }
    const call = this.#api.GET('/conversations/{id}/messages', { params: { path: { id }, query } })
    const messages = await unwrap(call)
    // Of long messages a page has fewer than were asked for: the header tells whether there are more.
    const links = (await call).response.headers.get('link') ?? ''
    return { messages, hasOlder: links.includes('rel="prev"'), hasNewer: links.includes('rel="next"') }
  }

  async #loadQuote(id: number, message_id: number): Promise<void> {
    try {
      const { messages } = await this.#get(id, { after: message_id - 1, limit: 1 })
      const [message] = messages
      if (message?.id !== message_id) return
      this.#quotes.set(message_id, message)
      this.#store.changed()
    } catch {
      this.#asked.delete(message_id)
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
