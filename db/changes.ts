import type { Tables } from './tables.ts'

/** A stored message with the names of its users. Times are milliseconds since 1970. */
export type StoredMessage = Omit<Tables['messages'], 'changed' | 'original_hash'> & {
  sender: string
  /** Null in a group. */
  receiver_id: number | null
  receiver: string | null
}

/**
 * Adds the sender's name and, in a direct conversation, the receiver's id and name to a message.
 * @param pair the two users of a direct conversation; nulls for a group
 * @param name returns the name of a user by id
 */
export const nameMessage = <Row extends { sender_id: number }>(
  row: Row,
  pair: { low_id: number | null; high_id: number | null },
  name: (id: number) => string,
) => {
  const receiver_id = row.sender_id === pair.low_id ? pair.high_id : pair.low_id
  const receiver = receiver_id === null ? null : name(receiver_id)
  return { ...row, sender: name(row.sender_id), receiver_id, receiver }
}

/** @returns the key of the direct conversation of two users, in any order */
export const pairOf = (a: number, b: number) =>
  a < b ? { low_id: a, high_id: b } : { low_id: b, high_id: a }

export type Marks = { delivered_up_to: number; read_up_to: number }

/** Milliseconds between two publications of the marks of a user in a conversation. */
export const ANNOUNCE_INTERVAL_MS = 1000

/**
 * The content of a change that clients receive. The writer creates it live; resuming clients receive the same, read from
 * the rows.
 */
export type Event =
  | { type: 'message' | 'message_updated'; message: StoredMessage }
  | ({ type: 'receipt'; conversation_id: number; username: string } & Marks)
  | {
      type: 'conversation'
      conversation_id: number
      kind: 'direct' | 'group'
      title: string | null
      /** The key that the app gave the group, and the metadata as JSON text. Absent if the server is of an earlier version. */
      key?: string | null
      metadata?: string | null
      member_count: number
      /** Ids of the users who became members, or stopped being members, by this change. */
      joined: readonly number[]
      left: readonly number[]
      /** Ids of the owners of a group. Absent if the server is of an earlier version. */
      owners?: readonly number[]
      /** The users of a direct conversation; empty for a group. */
      pair: readonly { user_id: number; username: string }[]
    }

/**
 * The content of a change that no client receives. Every server of the database acts on it. A server that may have missed
 * one reads the rows again.
 */
export type Notice =
  /** The token `jti` of a user was revoked. */
  | { type: 'token_ended'; user_id: number; jti: string }
  /**
   * All tokens of a user were revoked, except those of the new family, the token `kept_token`, and those that an issuer issued
   * after `tokens_from`.
   */
  | {
      type: 'tokens_ended'
      user_id: number
      token_family: string
      kept_token: string | null
      tokens_from: number
    }
  /** All tokens of all users were revoked, except those of the new token era, and those that an issuer issued after `era_began`. */
  | { type: 'all_tokens_ended'; token_era: string; era_began: number }
  /** The texts of the database have a new secret for tokens. */
  | { type: 'secret_rotated' }
  /** The server key `name` was revoked. */
  | { type: 'key_ended'; name: string }
  /** An account was created or removed, or its profile was changed. */
  | { type: 'user'; user_id: number }
  /** A message was reported. */
  | { type: 'report' }
  /** An account was suspended until a time in milliseconds since 1970; null: its suspension was lifted. */
  | { type: 'suspension'; user_id: number; until: number | null }
  /** The first user now blocks the second, or no longer does. `conversation_id` is that of their direct conversation, if any. */
  | { type: 'block'; user_ids: readonly [number, number]; conversation_id: number | null }

const noticeTypes: Record<Notice['type'], true> = {
  token_ended: true,
  tokens_ended: true,
  all_tokens_ended: true,
  secret_rotated: true,
  key_ended: true,
  user: true,
  report: true,
  suspension: true,
  block: true,
}

export const isNotice = (event: Event | Notice): event is Notice => Object.hasOwn(noticeTypes, event.type)

/** A numbered change and its audience at that moment. */
export type Change = {
  number: number
  /** Ids of users, without duplicates. Empty for a notice. */
  audience: readonly number[]
  event: Event | Notice
  /** Index in its batch of the operation that made the change. */
  operation: number
}
