/** A stored message with the names of its users. Times are milliseconds since 1970. */
export type StoredMessage = {
  id: number
  conversation_id: number
  sender_id: number
  sender: string
  /** Null in a group. */
  receiver_id: number | null
  receiver: string | null
  content: string
  timestamp: number
  client_id: string | null
  reply_to: number | null
  metadata: string | null
  edited_at: number | null
  deleted_at: number | null
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

/** The content of a change. The writer creates it live; resuming clients receive the same, read from the rows. */
export type Event =
  | { type: 'message' | 'message_updated'; message: StoredMessage }
  | ({ type: 'receipt'; conversation_id: number; username: string } & Marks)
  | {
      type: 'conversation'
      conversation_id: number
      kind: 'direct' | 'group'
      title: string | null
      member_count: number
      /** Ids of the users who became members, or stopped being members, by this change. */
      joined: readonly number[]
      left: readonly number[]
      /** The users of a direct conversation; empty for a group. */
      pair: readonly { user_id: number; username: string }[]
    }

/** A numbered change and its audience at that moment. */
export type Change = {
  number: number
  /** Ids of users, without duplicates. */
  audience: readonly number[]
  event: Event
  /** Index in its batch of the operation that made the change. */
  operation: number
}
