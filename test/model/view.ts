import assert from 'node:assert/strict'
import type { ConversationList, Member } from '../../schemas/conversation.ts'
import type { EventFrame } from '../../schemas/events.ts'
import type { Message } from '../../schemas/message.ts'
import type { Host } from './host.ts'
import type { Marks } from './state.ts'

export type ViewedConversation = {
  kind: string
  title: string | undefined
  peer: string | undefined
  member_count: number
  isLeft: boolean
}

/** @returns the number of a cursor. Cursors are opaque to clients. The tests read the number to check that it rises. */
export const numberOf = (cursor: string) => Number(cursor.slice(cursor.lastIndexOf('.') + 1))

/** The state that a device builds from its events. Each method fails on an event that violates order or uniqueness. */
export class View {
  readonly messages = new Map<number, Message>()
  readonly conversations = new Map<number, ViewedConversation>()
  readonly marks = new Map<string, Marks>()
  cursor = ''
  #lastMessage = 0
  /** Whether the stream can omit this message, because it was changed during an absence of the reader. */
  readonly mayMiss: (id: number) => boolean

  constructor(mayMiss: (id: number) => boolean) {
    this.mayMiss = mayMiss
  }

  /** Applies an event, whose cursor must be later than all before. */
  apply(event: EventFrame) {
    this.#advance(event.cursor as string)
    switch (event.type) {
      case 'message':
        this.add(event)
        break
      case 'message_updated': {
        const isKnown = this.messages.has(event.id)
        assert(isKnown || this.mayMiss(event.id), `message ${event.id} was changed before it was delivered`)
        // A device that missed the message has it in the history only.
        if (!isKnown) break
        const { type: _, cursor: __, ...message } = event
        this.messages.set(event.id, message)
        break
      }
      case 'receipt':
        this.mark(event.conversation_id, event.username, event)
        break
      case 'conversation': {
        const { conversation_id, kind, title, peer, member_count, you } = event
        this.conversations.set(conversation_id, { kind, title, peer, member_count, isLeft: you === 'left' })
      }
    }
  }

  add({ type: _, cursor: __, ...message }: Message & { type?: unknown; cursor?: unknown }) {
    assert(!this.messages.has(message.id), `message ${message.id} arrived twice`)
    assert(message.id > this.#lastMessage, `message ${message.id} arrived after ${this.#lastMessage}`)
    assert(this.conversations.has(message.conversation_id), 'a message arrived before its conversation')
    this.#lastMessage = message.id
    this.messages.set(message.id, message)
  }

  mark(
    id: number,
    username: string,
    { delivered_up_to, read_up_to }: { delivered_up_to: number; read_up_to: number },
  ) {
    const key = `${id}:${username}`
    const before = this.marks.get(key)
    assert(!before || (before.delivered <= delivered_up_to && before.read <= read_up_to), 'a mark decreased')
    assert(read_up_to <= delivered_up_to, 'read implies delivered')
    this.marks.set(key, { delivered: delivered_up_to, read: read_up_to })
  }

  /** Applies the ack of a change by this device, at its cursor. */
  acknowledge(cursor: string, type: string, message: Message | undefined, receipt: unknown) {
    if (type === 'receipt') {
      this.#advance(cursor)
      const { conversation_id, username, ...marks } = receipt as {
        conversation_id: number
        username: string
        delivered_up_to: number
        read_up_to: number
      }
      this.mark(conversation_id, username, marks)
    } else
      this.apply({ type: type === 'send' ? 'message' : 'message_updated', cursor, ...(message as Message) })
  }

  #advance(cursor: string) {
    assert(numberOf(cursor) > numberOf(this.cursor), `cursor ${cursor} arrived after ${this.cursor}`)
    this.cursor = cursor
  }

  /** Loads the lists and histories, as a new device does. Its stream starts at the cursor of the list. */
  static async load(host: Host, token: string, mayMiss: (id: number) => boolean): Promise<View> {
    const view = new View(mayMiss)
    const get = async <T>(path: string) => (await host.call<T>(token, 'GET', path)).body
    const { conversations, cursor } = await get<ConversationList>('/conversations?limit=100')
    view.cursor = cursor
    const messages: Message[] = []
    for (const conversation of conversations) {
      const { id, kind, title, peer, role, member_count } = conversation
      const isLeft = kind === 'group' && role === undefined
      view.conversations.set(id, { kind, title, peer, member_count, isLeft })
      messages.push(...(await get<Message[]>(`/conversations/${id}/messages?limit=1000`)))
      const { members } = await get<{ members: Member[] }>(`/conversations/${id}/members`)
      for (const member of members) view.mark(id, member.username, member)
      if (isLeft) view.mark(id, (await get<{ username: string }>('/users/me')).username, conversation)
    }
    for (const message of messages.sort((a, b) => a.id - b.id)) view.add(message)
    return view
  }
}
