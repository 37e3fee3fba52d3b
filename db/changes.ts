/** A message as it is stored, with the names that it is shown with. Times are milliseconds since 1970. */
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
 * Names the people of a message: its sender, and in a direct conversation, which has two ids, its receiver.
 * @param name gives the name of each of these ids
 */
export const nameMessage = <Row extends { sender_id: number }>(
  row: Row,
  { low_id, high_id }: { low_id: number | null; high_id: number | null },
  name: (id: number) => string,
) => {
  const receiver_id = row.sender_id === low_id ? high_id : low_id
  const receiver = receiver_id === null ? null : name(receiver_id)
  return { ...row, sender: name(row.sender_id), receiver_id, receiver }
}

/** A direct conversation is found by its two ids, whichever comes first. */
export const pairOf = (a: number, b: number) =>
  a < b ? { low_id: a, high_id: b } : { low_id: b, high_id: a }

export type Marks = { delivered_up_to: number; read_up_to: number }

/** What a change was. The same is made live by the writer, and again from the rows for those who were away. */
export type Event =
  | { type: 'message' | 'message_updated'; message: StoredMessage }
  | ({ type: 'receipt'; conversation_id: number; username: string } & Marks)
  | {
      type: 'conversation'
      conversation_id: number
      kind: 'direct' | 'group'
      title: string | null
      member_count: number
      /** Who came and who left with this change. */
      joined: readonly number[]
      left: readonly number[]
      /** The two of a direct one. */
      pair: readonly { user_id: number; username: string }[]
    }

/** A numbered change, and whom it concerned when it was made. */
export type Change = {
  number: number
  /** Ids of users, each once. */
  audience: readonly number[]
  event: Event
  /** Index, within its batch, of the operation that made it. */
  operation: number
}
