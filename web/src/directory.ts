import { type Api, type Member, type User, unwrap } from '@messenger/client'
import { routeHash } from './route.ts'
import type { Store } from './store.ts'

type Services = {
  /** Runs work and shows the error if it fails. */
  attempt: <T>(work: () => Promise<T>) => Promise<T | undefined>
  /** Loads a conversation again. */
  refresh: (id: number) => Promise<void>
}

/** Requests about users: search, group members, blocks and the password. */
export class Directory {
  readonly #api: Api
  readonly #store: Store
  readonly #services: Services

  constructor(api: Api, store: Store, services: Services) {
    this.#api = api
    this.#store = store
    this.#services = services
  }

  async findUsers(prefix: string): Promise<User[]> {
    const found = await this.#services.attempt(() =>
      unwrap(this.#api.GET('/users', { params: { query: { prefix, limit: 20 } } })),
    )
    const users = found?.users ?? []
    for (const { username, profile } of users) this.#store.profiles.set(username, profile)
    return users
  }

  async loadMembers(id: number): Promise<Member[]> {
    const found = await this.#services.attempt(() =>
      unwrap(this.#api.GET('/conversations/{id}/members', { params: { path: { id } } })),
    )
    if (found) this.#store.members.set(id, found.members)
    for (const { username, profile } of found?.members ?? []) this.#store.profiles.set(username, profile)
    this.#store.changed()
    return this.#store.members.get(id) ?? []
  }

  /**
   * Creates a group and opens it.
   * @param key the idempotency key: the same key with the same body gives the same group
   */
  async createGroup(body: { title: string; members: string[] }, key: string): Promise<void> {
    const params = { header: { 'idempotency-key': key } }
    const group = await unwrap(this.#api.POST('/groups', { params, body }))
    this.#store.putConversation(group)
    location.hash = routeHash({ group: group.id })
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

  /** Removes a member, or leaves the group if `username` is this user. */
  async removeMember(id: number, username: string): Promise<void> {
    await unwrap(this.#api.DELETE('/groups/{id}/members/{username}', { params: { path: { id, username } } }))
    await this.#services.refresh(id)
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
