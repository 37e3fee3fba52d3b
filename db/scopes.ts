import { pairOf } from './changes.ts'

/**
 * The names that queries of operations use in their `scope` (see `Query`). Users and conversations need none: a transaction looks
 * them up in its own state first.
 */
export const scopes = {
  /** Written by the transaction only after its own state has it. */
  known: () => [],
  message: (id: number) => `message ${id}`,
  /** The message of a sender under an idempotency key. */
  messageKey: (sender_id: number, client_id: string | null) => `message key ${sender_id} ${client_id}`,
  newestMessage: (conversation_id: number) => `newest ${conversation_id}`,
  /** Marks and bounds of the membership periods of a user in a conversation. */
  periods: (user_id: number, conversation_id: number) => `periods ${user_id} ${conversation_id}`,
  /** Where and when a user was a member. */
  memberships: (user_id: number) => `memberships ${user_id}`,
  block: (a: number, b: number) => {
    const { low_id, high_id } = pairOf(a, b)
    return `block ${low_id} ${high_id}`
  },
  /** Which accounts are suspended. */
  suspensions: () => 'suspensions',
  report: (id: number) => `report ${id}`,
  reportKey: (message_id: number, reporter_id: number) => `report key ${message_id} ${reporter_id}`,
  serverKey: (name: string) => `server key ${name}`,
  appKey: (key: string | null) => `app key ${key}`,
  groupKey: (creator_id: number | null, client_id: string | null) => `group key ${creator_id} ${client_id}`,
  webhook: (name: string) => `webhook ${name}`,
  /** Which webhooks there are. */
  webhooks: () => 'webhooks',
}
