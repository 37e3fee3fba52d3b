import { type Api, type Message, MessengerError, unwrap } from '@messenger/client'
import type { Store } from './store.ts'
import type { Page, Timeline } from './timeline.ts'
import { isAtReadMark } from './unread.ts'

/** Messages per page. */
const LIMIT = 50
/** Milliseconds before a failed page is requested again. */
const RETRY_MS = 2000

/** Loads the pages of timelines, and the single messages that replies quote. */
export class History {
  readonly #api: Api
  readonly #store: Store
  readonly #quotes = new Map<number, Message>()
  readonly #requested = new Set<number>()

  constructor(api: Api, store: Store) {
    this.#api = api
    this.#store = store
  }

  /** Loads the first page: the messages around the read mark if there are unread messages, or else the newest. */
  load(id: number): Promise<void> {
    const { unread_count = 0, read_up_to = 0 } = this.#store.conversations.get(id) ?? {}
    return this.#run(id, () => (unread_count > 0 ? this.#getAround(id, read_up_to) : this.#get(id, {})))
  }

  loadOlder(id: number): Promise<void> {
    const { isLoaded, hasOlder, messages } = this.#store.timeline(id)
    const [oldest] = messages
    if (!isLoaded || !hasOlder || !oldest) return Promise.resolve()
    return this.#run(id, async () => ({
      ...(await this.#get(id, { before: oldest.id })),
      hasNewer: undefined,
    }))
  }

  loadNewer(id: number): Promise<void> {
    const { isLoaded, messages } = this.#store.timeline(id)
    const newest = messages.at(-1)
    if (!isLoaded || !newest || !this.#store.hasNewer(id)) return Promise.resolve()
    return this.#run(id, async () => {
      const page = await this.#get(id, { after: newest.id })
      // An empty page contradicts `hasNewer`. The pause prevents a loop of requests.
      if (page.messages.length === 0) await pause()
      return { ...page, hasOlder: undefined }
    })
  }

  /** Loads the messages around a message, unless it is loaded already or this user cannot read it. */
  async showMessage(id: number, message_id: number): Promise<void> {
    const timeline = await this.#whenIdle(id)
    if (timeline.messages.some((message) => message.id === message_id)) return
    await this.#run(id, async () => {
      const page = await this.#getAround(id, message_id)
      return page.messages.some((message) => message.id === message_id)
        ? { ...page, isReplacement: true }
        : { messages: [] }
    })
  }

  /** Loads the messages around the read mark, unless they are loaded already. */
  async showReadMark(id: number): Promise<void> {
    await this.#whenIdle(id)
    if (isAtReadMark(this.#store, id)) return
    const { read_up_to = 0 } = this.#store.conversations.get(id) ?? {}
    await this.#run(id, async () => ({ ...(await this.#getAround(id, read_up_to)), isReplacement: true }))
  }

  async showNewest(id: number): Promise<void> {
    await this.#whenIdle(id)
    if (!this.#store.hasNewer(id)) return
    await this.#run(id, async () => ({ ...(await this.#get(id, {})), isReplacement: true }))
  }

  /** Removes the messages and the quoted messages of a conversation. */
  remove(id: number) {
    this.#store.timelines.delete(id)
    for (const [message_id, { conversation_id }] of this.#quotes) {
      if (conversation_id !== id) continue
      this.#quotes.delete(message_id)
      this.#requested.delete(message_id)
    }
  }

  clearQuotes() {
    this.#quotes.clear()
    this.#requested.clear()
  }

  /** Replaces a quoted message after an edit or a deletion. */
  updateQuote(message: Message) {
    if (this.#quotes.has(message.id)) this.#quotes.set(message.id, message)
  }

  /** @returns a message that a reply quotes; undefined while it is loading */
  quote(id: number, message_id: number): Message | undefined {
    const known = this.#store.timelines.get(id)?.messages.find((message) => message.id === message_id)
    if (known) return known
    if (!this.#quotes.has(message_id) && !this.#requested.has(message_id)) {
      this.#requested.add(message_id)
      void this.#loadQuote(id, message_id)
    }
    return this.#quotes.get(message_id)
  }

  /** Waits until no request for a page is running. */
  async #whenIdle(id: number): Promise<Timeline> {
    const timeline = this.#store.timeline(id)
    while (timeline.loading) await timeline.loading
    return timeline
  }

  /** Requests one page at a time per timeline, so that each page adjoins the loaded messages. */
  #run(id: number, read: () => Promise<Page>): Promise<void> {
    const timeline = this.#store.timeline(id)
    timeline.loading ??= this.#load(id, timeline, read)
    return timeline.loading
  }

  async #load(id: number, timeline: Timeline, read: () => Promise<Page>): Promise<void> {
    // The timeline may have been removed during the request. A new one loads its own pages.
    const put = (page: Page) => {
      if (this.#store.timelines.get(id) === timeline) this.#store.putPage(id, page)
    }
    try {
      put(await read())
    } catch (error) {
      const canRetry = error instanceof MessengerError && error.retryable
      if (!canRetry) put({ messages: [], hasOlder: false })
      await pause()
    } finally {
      timeline.loading = undefined
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
    // A page of long messages has fewer than `limit`, so the length does not say whether there are more.
    const { headers } = (await call).response
    return {
      messages,
      hasOlder: headers.get('has-older') === 'true',
      hasNewer: headers.get('has-newer') === 'true',
    }
  }

  async #loadQuote(id: number, message_id: number): Promise<void> {
    try {
      const { messages } = await this.#get(id, { after: message_id - 1, limit: 1 })
      const [message] = messages
      if (message?.id !== message_id) return
      this.#quotes.set(message_id, message)
      this.#store.changed()
    } catch {
      this.#requested.delete(message_id)
    }
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, RETRY_MS))
