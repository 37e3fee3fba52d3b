import type { Conversation } from '@messenger/client'
import type { Store } from './store.ts'

/** The delivery state of a message of this user. */
export type Progress = 'pending' | 'failed' | 'sent' | 'delivered' | 'read'

/** @returns the state that every other member has reached, as far as their marks are known */
export const progressOf = (store: Store, conversation: Conversation, id: number): Progress => {
  const others: { delivered_up_to: number; read_up_to: number }[] =
    conversation.kind === 'direct'
      ? [
          {
            delivered_up_to: conversation.peer_delivered_up_to ?? 0,
            read_up_to: conversation.peer_read_up_to ?? 0,
          },
        ]
      : (store.members.get(conversation.id) ?? []).filter(({ user_id }) => user_id !== store.me.id)
  if (conversation.peer === store.me.username) return 'read'
  if (others.length === 0) return 'sent'
  if (others.every(({ read_up_to }) => read_up_to >= id)) return 'read'
  return others.every(({ delivered_up_to }) => delivered_up_to >= id) ? 'delivered' : 'sent'
}
