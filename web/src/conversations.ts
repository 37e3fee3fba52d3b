import { type Api, type Conversation, MessengerError, unwrap } from '@messenger/client'
import type { Marks } from './marks.ts'
import type { Route } from './route.ts'
import type { Store } from './store.ts'

/** Conversations per page. */
const LIMIT = 50
/** Milliseconds before a failed request is repeated. */
const RETRY_MS = 2000
/** Milliseconds in which requests for the same conversation become one. */
const GATHER_MS = 30

/** Loads the list of conversations and single conversations into the store. */
export class Conversations {
  /** Whether the first page and the blocks are loaded. */
  isLoaded = false
  readonly #api: Api
  readonly #store: Store
  readonly #marks: Marks
  readonly #refreshes = new Map<number, Promise<void>>()

  constructor(api: Api, store: Store, marks: Marks) {
    this.#api = api
    this.#store = store
    this.#marks = marks
  }

  /**
   * Loads the first page and the blocked users. Retries until the server answers.
   * @param onRetry called after each failed attempt
   * @returns the cursor at which the event stream continues
   * @throws MessengerError `UNAUTHORIZED` if the session has ended
   */
  async load(onRetry: () => void): Promise<string> {
    for (;;) {
      try {
        const page = await unwrap(this.#api.GET('/conversations', { params: { query: { limit: LIMIT } } }))
        const { blocks } = await unwrap(this.#api.GET('/blocks', {}))
        for (const { username } of blocks) this.#store.blocked.add(username)
        for (const conversation of page.conversations) {
          this.#store.putConversation(conversation)
          this.#markDelivered(conversation)
        }
        this.#store.before = page.before
        this.isLoaded = true
        this.#store.changed()
        return page.cursor
      } catch (error) {
        if (error instanceof MessengerError && error.code === 'UNAUTHORIZED') throw error
        onRetry()
        await pause(RETRY_MS)
      }
    }
  }

  /** Loads the next page of older conversations. */
  async loadMore(): Promise<void> {
    const { before } = this.#store
    if (before === undefined) return
    const page = await unwrap(
      this.#api.GET('/conversations', { params: { query: { limit: LIMIT, before } } }),
    )
    for (const conversation of page.conversations) this.#store.putConversation(conversation)
    this.#store.before = page.before
  }

  /** Loads a conversation again. Calls for the same conversation within 30 ms share one request. */
  refresh(id: number): Promise<void> {
    const running = this.#refreshes.get(id)
    if (running) return running
    const refresh = this.#refresh(id)
    this.#refreshes.set(id, refresh)
    return refresh
  }

  async #refresh(id: number): Promise<void> {
    await pause(GATHER_MS)
    this.#refreshes.delete(id)
    try {
      const conversation = await unwrap(this.#api.GET('/conversations/{id}', { params: { path: { id } } }))
      const known = this.#store.conversations.get(id)
      this.#store.putConversation(conversation)
      if (!known) this.#markDelivered(conversation)
      // The event stream delivered a newer message during the request.
      if ((known?.last_message?.id ?? 0) > (conversation.last_message?.id ?? 0)) await this.refresh(id)
    } catch (error) {
      if (!(error instanceof MessengerError && error.retryable)) return
      await pause(RETRY_MS)
      await this.refresh(id)
    }
  }

  /**
   * Loads the conversation of a route that is not on the loaded pages. Does nothing if it does not exist yet.
   * @throws MessengerError if the peer does not exist, or the request fails
   */
  async loadRoute(route: Route): Promise<void> {
    if ('group' in route) {
      await this.refresh(route.group)
      return
    }
    const params = { path: { username: route.peer }, query: { limit: 1 } }
    const [message] = await unwrap(this.#api.GET('/history/{username}', { params }))
    if (message) await this.refresh(message.conversation_id)
  }

  #markDelivered({ id, kind, role, last_message, delivered_up_to }: Conversation) {
    if (!last_message || last_message.id <= delivered_up_to || (kind === 'group' && !role)) return
    if (last_message.sender_id === this.#store.me.id) return
    this.#marks.advance(id, { delivered_up_to: last_message.id })
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
