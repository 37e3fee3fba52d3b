import type { Events, Message, Messenger, OutboxEntry } from '@messenger/client'
import type { Conversations } from './conversations.ts'
import type { Directory } from './directory.ts'
import type { History } from './history.ts'
import type { Marks } from './marks.ts'
import { routeOf } from './route.ts'
import type { Pending, Store } from './store.ts'

type Services = {
  messenger: Messenger
  store: Store
  marks: Marks
  history: History
  conversations: Conversations
  directory: Directory
  /** Called for each new message of another user. */
  onMessage: (message: Message) => void
  onState: (change: Events['state']) => void
  /** Called when the server does not know the cursor. The conversations must be loaded again. */
  onReset: () => void
  onSendFailed: (error: Error) => void
}

/** Applies the events of the server and of the outbox to the store. */
export const applyEvents = (services: Services) => {
  const { messenger, store, marks, history, conversations, directory } = services

  const put = (message: Message) => {
    const { conversation_id: id } = message
    if (!store.conversations.has(id)) {
      store.addConversationOf(message)
      void conversations.refresh(id)
    }
    store.putMessage(message)
  }

  messenger.on('message', (message) => {
    put(message)
    if (message.sender_id === store.me.id) return
    marks.advance(message.conversation_id, { delivered_up_to: message.id })
    if (!message.deleted_at) services.onMessage(message)
  })
  messenger.on('message_updated', (message) => {
    history.updateQuote(message)
    const { conversation_id: id } = message
    const conversation = store.conversations.get(id)
    put(message)
    // A deleted message no longer counts as unread.
    const wasUnread = conversation && message.id > conversation.read_up_to
    if (wasUnread && message.deleted_at && message.sender_id !== store.me.id) void conversations.refresh(id)
  })
  messenger.on('receipt', ({ conversation_id, ...receipt }) => {
    if (store.putMarks(conversation_id, receipt)) void conversations.refresh(conversation_id)
  })
  messenger.on('conversation', ({ conversation_id: id, kind, you }) => {
    // A former member receives no events of edits. The messages are loaded again after a rejoin.
    if (kind === 'group' && you === 'joined') history.remove(id)
    void conversations.refresh(id)
    if (store.members.has(id)) void directory.loadMembers(id)
  })
  messenger.on('typing', ({ conversation_id, username }) => store.startTyping(conversation_id, username))
  messenger.on('presence', ({ username, online, last_seen }) => {
    store.presence.set(username, { online, last_seen })
    store.changed()
  })
  messenger.on('profile', () => store.changed())
  messenger.on('reset', () => {
    store.clear()
    history.clearQuotes()
    services.onReset()
  })
  messenger.on('sent', ({ client_id, message }) => {
    store.removePending(client_id)
    put(message)
  })
  messenger.on('send_failed', ({ entry, error }) => {
    const pending = store.pending(entry.client_id) ?? pendingOf(entry)
    store.putPending({ ...pending, problem: 'not sent' })
    services.onSendFailed(error)
  })
  messenger.on('state', (change) => {
    store.isConnected = change.state === 'online' || change.state === 'catching_up'
    if (store.isConnected) marks.flush()
    else store.presence.clear()
    store.changed()
    services.onState(change)
  })
}

/** @returns the pending message of an outbox entry that an earlier page left */
export const pendingOf = (entry: OutboxEntry): Pending => {
  const { client_id, content, reply_to, receiver_username: peer, conversation_id } = entry
  return {
    client_id,
    content,
    reply_to,
    route: routeOf(
      peer === undefined ? { id: conversation_id as number, kind: 'group' } : { id: 0, kind: 'direct', peer },
    ),
    timestamp: new Date().toISOString(),
  }
}
