import { createCache } from '../src/cache.ts'
import { type Change, type Event, type Notice, pairOf } from './changes.ts'
import { foldName } from './names.ts'
import type { Query, Statements } from './query.ts'
import * as conversations from './queries/conversations.ts'
import * as members from './queries/members.ts'
import * as users from './queries/users.ts'
import type { TokenEra } from './token-family.ts'

export type StoredUser = NonNullable<(typeof users.userById)['row']>

/** What an account shows of its user. `metadata` is JSON text. */
export type Profile = Pick<StoredUser, 'display_name' | 'avatar_url' | 'metadata'>

/** `null` removes a member; an absent member stays as it is. */
export type ProfileChange = Partial<Profile>

export type Member = { user_id: number; username: string; role: 'owner' | 'member'; from_number: number }

/** A conversation and its current members. */
export type Conversation = {
  id: number
  kind: 'direct' | 'group'
  title: string | null
  /** The key that the app gave a group. */
  key: string | null
  /** JSON text. */
  metadata: string | null
  low_id: number | null
  high_id: number | null
  /** Whether one of the two users of a direct conversation blocks the other. */
  blocked: boolean
  /** The oldest first. */
  members: readonly Member[]
  /** The ids of `members`. */
  audience: readonly number[]
}

/** Rows that operations look up often. A transaction adds its rows after its commit. */
export const createCaches = () => ({
  // Bounded by kilobytes: 50,000 users with the longest profiles would take 200 MB.
  users: createCache<number, StoredUser>(50_000, { sizeOf: kilobytesOf }),
  userIds: createCache<string, number>(50_000),
  tokenEra: createCache<'newest', TokenEra>(1),
  // Bounded by members, each about 250 bytes: 50,000 groups of 256 members would take 3 GB.
  conversations: createCache<number, Conversation>(200_000, { sizeOf: ({ members }) => 1 + members.length }),
  directIds: createCache<string, number>(50_000),
})

const kilobytesOf = ({ avatar_url, metadata }: StoredUser) =>
  1 + Math.floor(((avatar_url?.length ?? 0) + (metadata?.length ?? 0)) / 1024)

export type Caches = ReturnType<typeof createCaches>

/** Characters of content, and members of an audience, that cost as much as a row: 3 to 4 µs until they are published. */
const ROW_CHARACTERS = 1024
const ROW_MEMBERS = 32

/** The last number and the highest ids that were given. */
export type Counters = { last: number; user_id: number; conversation_id: number }

/**
 * One transaction: its statements, its numbers and ids, the rows that it read or changed, and the changes to publish after
 * its commit. It runs operations one after the other. An operation reads everything that it needs before its first write:
 * so a database over a network can load the rows of a whole batch at once and store its writes at once.
 */
export class Transaction {
  /** Milliseconds since 1970. */
  readonly now: number
  readonly changes: Change[] = []
  /** Those given by this transaction or an earlier one. */
  readonly counters: Counters
  /** Index of the running operation in its batch. */
  operation = 0
  /** Cost so far: one for each statement and each row, more for long contents and large audiences. */
  weight = 0
  readonly #statements: Statements
  readonly #caches: Caches
  readonly #users = new Map<number, StoredUser>()
  readonly #userIds = new Map<string, number>()
  readonly #conversations = new Map<number, Conversation>()
  readonly #directIds = new Map<string, number>()
  #tokenEra: TokenEra | undefined
  #hasWritten = false

  constructor(statements: Statements, caches: Caches, counters: Counters, now: number) {
    this.#statements = statements
    this.#caches = caches
    this.counters = { ...counters }
    this.now = now
  }

  /** Call this before each operation. @param index its index in its batch */
  begin(index: number) {
    this.operation = index
    this.#hasWritten = false
  }

  /** The last number given. */
  get last() {
    return this.counters.last
  }

  all<A, R>(query: Query<A, R>, args: A): R[] {
    this.#beforeRead()
    const rows = this.#statements.all(query, args)
    this.weight += 1 + rows.length
    return rows
  }

  get<A, R>(query: Query<A, R>, args: A): R | undefined {
    this.#beforeRead()
    const row = this.#statements.get(query, args)
    this.weight += 1 + weightOf(row)
    return row
  }

  run<A, R>(query: Query<A, R>, args: A) {
    this.weight += 1 + weightOf(args)
    this.#hasWritten = true
    this.#statements.run(query, args)
  }

  /** Inserts a row unless it exists. See the contract of `Statements`. */
  insertNew<A, R>(insert: Query<A, unknown>, existing: Query<A, R>, args: A): boolean {
    this.#beforeRead()
    this.weight += 1 + weightOf(args)
    return (this.#hasWritten = this.#statements.insertNew(insert, existing, args))
  }

  /** Gives the next number. */
  next(): number {
    return (this.counters.last += 1)
  }

  /** Gives the id of a new user. */
  nextUser(): number {
    return (this.counters.user_id += 1)
  }

  /** Gives the id of a new conversation. */
  nextConversation(): number {
    return (this.counters.conversation_id += 1)
  }

  /** Publishes `event` under `number` to `audience` after the commit. */
  publish(number: number, audience: readonly number[], event: Event | Notice) {
    this.weight += audience.length / ROW_MEMBERS
    this.changes.push({ number, audience, event, operation: this.operation })
  }

  user(id: number): StoredUser | undefined {
    return (
      this.#users.get(id) ?? this.#caches.users.get(id) ?? this.#addUser(this.get(users.userById, { id }))
    )
  }

  userByName(name: string): StoredUser | undefined {
    const key = foldName(name)
    const id = this.#userIds.get(key) ?? this.#caches.userIds.get(key)
    return id === undefined ? this.#addUser(this.get(users.userByKey, { key })) : this.user(id)
  }

  /** Call this after a write to the row of a user, with its new state. */
  setUser(user: StoredUser): StoredUser {
    this.#users.set(user.id, user)
    this.#userIds.set(user.username_key, user.id)
    return user
  }

  /** The newest token era. */
  get tokenEra(): TokenEra {
    this.#tokenEra ??= this.#caches.tokenEra.get('newest') ?? this.get(users.tokenEra, {})
    return this.#tokenEra as TokenEra
  }

  /** Call this after a new token era was stored. It is part of the state of every user. */
  setTokenEra(era: TokenEra) {
    this.#caches.users.clear()
    this.#users.clear()
    this.#tokenEra = era
  }

  conversation(id: number): Conversation | undefined {
    return (
      this.#conversations.get(id) ??
      this.#caches.conversations.get(id) ??
      this.#addConversation(this.get(conversations.conversationById, { id }))
    )
  }

  /** @returns the direct conversation of two users, in any order */
  directConversation(a: number, b: number): Conversation | undefined {
    const pair = pairOf(a, b)
    const key = `${pair.low_id}:${pair.high_id}`
    const id = this.#directIds.get(key) ?? this.#caches.directIds.get(key)
    return id === undefined
      ? this.#addConversation(this.get(conversations.conversationByPair, pair))
      : this.conversation(id)
  }

  /** Call this after a write to the rows of a conversation, with its new state. */
  setConversation(changed: Omit<Conversation, 'audience'>): Conversation {
    const conversation = { ...changed, audience: changed.members.map(({ user_id }) => user_id) }
    this.#conversations.set(conversation.id, conversation)
    if (conversation.kind === 'direct')
      this.#directIds.set(`${conversation.low_id}:${conversation.high_id}`, conversation.id)
    return conversation
  }

  /** Adds the rows of this transaction to the caches. Call this after the commit. */
  committed() {
    for (const [id, user] of this.#users) this.#caches.users.set(id, user)
    if (this.#tokenEra !== undefined) this.#caches.tokenEra.set('newest', this.#tokenEra)
    for (const [key, id] of this.#userIds) this.#caches.userIds.set(key, id)
    for (const [id, conversation] of this.#conversations) this.#caches.conversations.set(id, conversation)
    for (const [key, id] of this.#directIds) this.#caches.directIds.set(key, id)
  }

  #beforeRead() {
    if (this.#hasWritten) throw new Error('An operation reads after its first write.')
  }

  #addUser(user: StoredUser | undefined) {
    return user && this.setUser(user)
  }

  #addConversation(row: (typeof conversations.conversationById)['row']): Conversation | undefined {
    if (!row) return undefined
    return this.setConversation({
      ...row,
      blocked: row.blocked === 1,
      members: this.all(members.membersOf, { conversation_id: row.id }),
    })
  }
}

const weightOf = (row: unknown) =>
  ((row as { content?: string } | undefined)?.content?.length ?? 0) / ROW_CHARACTERS
