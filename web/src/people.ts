import { type Api, type Member, type User, unwrap } from '@messenger/client'
import type { Store } from './store.ts'

type Work = {
  /** Does something; where that fails, says why. */
  attempt: <T>(work: () => Promise<T>) => Promise<T | undefined>
  /** Takes a conversation as the server has it. */
  refresh: (id: number) => Promise<void>
}

/** Whom there is to talk to, with whom one will not, and who oneself is. */
export class People {
  readonly #api: Api
  readonly #store: Store
  readonly #work: Work

  constructor(api: Api, store: Store, work: Work) {
    this.#api = api
    this.#store = store
    this.#work = work
  }

  async findPeople(prefix: string): Promise<User[]> {
    const found = await this.#work.attempt(() =>
      unwrap(this.#api.GET('/users', { params: { query: { prefix, limit: 20 } } })),
    )
    return found?.users ?? []
  }

  async loadMembers(id: number): Promise<Member[]> {
    const found = await this.#work.attempt(() =>
      unwrap(this.#api.GET('/conversations/{id}/members', { params: { path: { id } } })),
    )
    if (found) this.#store.members.set(id, found.members)
    this.#store.changed()
    return this.#store.members.get(id) ?? []
  }

  async createGroup(title: string, members: string[]): Promise<void> {
    const group = await unwrap(this.#api.POST('/groups', { body: { title, members } }))
    this.#store.putConversation(group)
    location.hash = `group/${group.id}`
  }

  async renameGroup(id: number, title: string): Promise<void> {
    this.#store.putConversation(
      await unwrap(this.#api.PATCH('/groups/{id}', { params: { path: { id } }, body: { title } })),
    )
  }

  async addMember(id: number, username: string): Promise<void> {
    const path = { id, username }
    this.#store.putConversation(
      await unwrap(this.#api.PUT('/groups/{id}/members/{username}', { params: { path } })),
    )
    await this.loadMembers(id)
  }

  /** Takes somebody out of my group, or me out of any. */
  async removeMember(id: number, username: string): Promise<void> {
    await unwrap(this.#api.DELETE('/groups/{id}/members/{username}', { params: { path: { id, username } } }))
    await this.#work.refresh(id)
  }

  async block(username: string): Promise<void> {
    await unwrap(this.#api.PUT('/blocks/{username}', { params: { path: { username } } }))
    this.#store.blocked.add(username)
    this.#store.changed()
  }

  async unblock(username: string): Promise<void> {
    await unwrap(this.#api.DELETE('/blocks/{username}', { params: { path: { username } } }))
    this.#store.blocked.delete(username)
    this.#store.changed()
  }

  getMe() {
    return unwrap(this.#api.GET('/users/me', {}))
  }

  async setPassword(password: string, current_password: string | undefined): Promise<void> {
    await unwrap(
      this.#api.PUT('/users/me/password', {
        body: { password, ...(current_password && { current_password }) },
      }),
    )
  }
}
