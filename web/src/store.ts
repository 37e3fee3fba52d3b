import type { Conversation, Member, Message, Profiles, User } from '@messenger/client'
import { isSameRoute, type Route, routeOf, titleOf } from './route.ts'
import {
  addMessage,
  addPage,
  countUnread,
  emptyTimeline,
  MAX_UNREAD,
  type Page,
  reaches,
  type Timeline,
} from './timeline.ts'

/** A message that the server has not stored yet, and so has no id. */
export type Pending = {
  client_id: string
  route: Route
  content: string
  reply_to?: number | undefined
  timestamp: string
  /** Why the server refused the message. */
  problem?: string
}

export type Presence = { online: boolean; last_seen?: string | undefined }
export type Marks = { username: string; delivered_up_to: number; read_up_to: number }

/** Milliseconds after the last `typing` event until a user no longer counts as typing. */
const TYPING_MS = 5000

/** The state of this tab. Its methods notify the listeners of changes, once per turn of the event loop. */
export class Store {
  me: User
  readonly profiles: Profiles
  isConnected = false
  route: Route | undefined
  /** The cursor of the next page of older conversations. */
  before: number | undefined
  readonly conversations = new Map<number, Conversation>()
  readonly timelines = new Map<number, Timeline>()
  readonly members = new Map<number, Member[]>()
  readonly presence = new Map<string, Presence>()
  readonly blocked = new Set<string>()
  readonly #pending = new Map<string, Pending>()
  readonly #typing = new Map<number, Map<string, ReturnType<typeof setTimeout>>>()
  readonly #listeners = new Set<() => void>()
  #isDirty = false

  constructor(me: User, profiles: Profiles) {
    this.me = me
    this.profiles = profiles
  }

  subscribe(listener: () => void) {
    this.#listeners.add(listener)
  }

  /** Schedules one call of each listener in a microtask. */
  changed() {
    if (this.#isDirty) return
    this.#isDirty = true
    queueMicrotask(() => {
      this.#isDirty = false
      for (const listener of this.#listeners) listener()
    })
  }

  /** @returns the display name of a user, or else the username */
  nameOf(username: string): string {
    return this.profiles.peek(username).display_name ?? username
  }

  /** @returns the title of a group, or the name of the peer */
  titleOf(conversation: Conversation): string {
    return conversation.kind === 'direct' ? this.nameOf(conversation.peer ?? '') : titleOf(conversation)
  }

  /** Removes the data that is valid only for the event stream that has ended. */
  clear() {
    this.conversations.clear()
    this.timelines.clear()
    this.members.clear()
    this.before = undefined
    this.changed()
  }

  find(route: Route | undefined): Conversation | undefined {
    if (route && 'group' in route) return this.conversations.get(route.group)
    return [...this.conversations.values()].find((one) => isSameRoute(routeOf(one), route))
  }

  /** The open conversation. */
  get current() {
    return this.find(this.route)
  }

  /** The conversations, the one with the newest message first. */
  get sorted(): Conversation[] {
    return [...this.conversations.values()].toSorted((a, b) => sortKey(b) - sortKey(a))
  }

  get unread() {
    return [...this.conversations.values()].reduce((sum, { unread_count }) => sum + unread_count, 0)
  }

  timeline(id: number): Timeline {
    let timeline = this.timelines.get(id)
    if (!timeline) {
      timeline = emptyTimeline()
      this.timelines.set(id, timeline)
    }
    return timeline
  }

  /** Stores a conversation from the server. Keeps this user's read mark if the local one is ahead of the server. */
  putConversation(conversation: Conversation) {
    const { id, read_up_to, peer, peer_profile } = conversation
    if (peer !== undefined) this.profiles.set(peer, peer_profile)
    const mark = this.conversations.get(id)?.read_up_to ?? 0
    this.conversations.set(id, conversation)
    if (mark > read_up_to) this.#moveMyMark(conversation, mark)
    this.changed()
  }

  /** Adds the direct conversation of its first message, so that the page shows it before the server describes it. */
  addConversationOf({ conversation_id: id, sender, receiver }: Message) {
    if (receiver === undefined) return
    const peer = sender === this.me.username ? receiver : sender
    const peer_profile = this.profiles.peek(peer)
    const none = { unread_count: 0, delivered_up_to: 0, read_up_to: 0 }
    this.putConversation({ id, kind: 'direct', peer, peer_profile, member_count: 2, ...none })
    if (isSameRoute(this.route, { peer })) this.timeline(id)
  }

  putPage(id: number, page: Page) {
    addPage(this.timeline(id), page)
    this.changed()
  }

  /** Stores a new or changed message, and updates the last message and unread count of its conversation. */
  putMessage(message: Message) {
    const { conversation_id: id } = message
    if (message.client_id !== undefined) this.#pending.delete(message.client_id)
    const timeline = this.timelines.get(id)
    if (timeline) addMessage(timeline, message, this.hasNewer(id))
    this.#stopTyping(id, message.sender)
    this.changed()
    const conversation = this.conversations.get(id)
    if (!conversation || message.id < newestId(conversation)) return
    const isNew = message.id > newestId(conversation)
    const isUnread = isNew && message.sender_id !== this.me.id && message.id > conversation.read_up_to
    this.conversations.set(id, {
      ...conversation,
      last_message: message,
      unread_count: Math.min(conversation.unread_count + (isUnread ? 1 : 0), MAX_UNREAD),
    })
  }

  /** @returns whether the unread count is unknown now and must be loaded from the server */
  putMarks(conversation_id: number, { username, delivered_up_to, read_up_to }: Marks): boolean {
    const conversation = this.conversations.get(conversation_id)
    const member = this.members.get(conversation_id)?.find((one) => one.username === username)
    if (member) {
      member.delivered_up_to = Math.max(member.delivered_up_to, delivered_up_to)
      member.read_up_to = Math.max(member.read_up_to, read_up_to)
    }
    this.changed()
    if (!conversation) return false
    if (username !== this.me.username) {
      if (conversation.kind === 'direct') {
        conversation.peer_delivered_up_to = Math.max(conversation.peer_delivered_up_to ?? 0, delivered_up_to)
        conversation.peer_read_up_to = Math.max(conversation.peer_read_up_to ?? 0, read_up_to)
      }
      return false
    }
    conversation.delivered_up_to = Math.max(conversation.delivered_up_to, delivered_up_to)
    return !this.#moveMyMark(conversation, read_up_to)
  }

  /** @returns whether the unread count is right: it is unknown if the messages between the marks are not all loaded */
  #moveMyMark(conversation: Conversation, read_up_to: number): boolean {
    const { id, read_up_to: before, unread_count } = conversation
    const timeline = this.timeline(id)
    conversation.read_up_to = Math.max(before, read_up_to)
    if (conversation.read_up_to >= newestId(conversation)) conversation.unread_count = 0
    if (conversation.unread_count === 0) return true
    if (unread_count >= MAX_UNREAD || !reaches(timeline, before)) return read_up_to < before
    const read = countUnread(timeline, this.me.id, before, read_up_to)
    conversation.unread_count = Math.max(0, unread_count - read)
    return true
  }

  /** Whether a conversation has messages after the loaded ones. */
  hasNewer(id: number): boolean {
    const conversation = this.conversations.get(id)
    return conversation !== undefined && (this.timeline(id).messages.at(-1)?.id ?? 0) < newestId(conversation)
  }

  putPending(pending: Pending) {
    this.#pending.set(pending.client_id, pending)
    this.changed()
  }

  removePending(client_id: string) {
    this.#pending.delete(client_id)
    this.changed()
  }

  pending(client_id: string) {
    return this.#pending.get(client_id)
  }

  /** @returns the pending messages of a conversation, oldest first */
  pendingFor(route: Route): Pending[] {
    return [...this.#pending.values()].filter((pending) => isSameRoute(pending.route, route))
  }

  typing(id: number): string[] {
    return [...(this.#typing.get(id)?.keys() ?? [])]
  }

  startTyping(id: number, username: string) {
    const users = this.#typing.get(id) ?? new Map()
    clearTimeout(users.get(username))
    users.set(
      username,
      setTimeout(() => this.#stopTyping(id, username), TYPING_MS),
    )
    this.#typing.set(id, users)
    this.changed()
  }

  #stopTyping(id: number, username: string) {
    const users = this.#typing.get(id)
    clearTimeout(users?.get(username))
    if (users?.delete(username)) this.changed()
  }
}

const newestId = ({ last_message }: Conversation) => last_message?.id ?? 0

/** Sorts a group without messages first, because it is new. */
const sortKey = ({ last_message }: Conversation) => last_message?.id ?? Number.MAX_SAFE_INTEGER
