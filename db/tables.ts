import type { Generated } from 'kysely'

/** A stay that goes on: no number lies past it. */
export const OPEN = Number.MAX_SAFE_INTEGER

/** Times are milliseconds since 1970; every `*number`, `changed` and mark counts in the one counter of changes. */
export type Tables = {
  users: {
    id: Generated<number>
    username: string
    /** The name folded: what is compared and searched. */
    username_key: string
    password_hash: string | null
    /** Tokens begin with it; another one ends them all. */
    token_family: string
    /** The one token of an earlier family that still holds. */
    kept_token: string | null
    created_at: number
    removed_at: number | null
    /** 1 while an account that was removed is still in groups. */
    leaving: Generated<0 | 1>
  }
  conversations: {
    id: Generated<number>
    kind: 'direct' | 'group'
    /** The two of a direct one, the lower id first. */
    low_id: number | null
    high_id: number | null
    title: string | null
    member_count: number
    /** Number of the last time that it was made or renamed, or someone came or left. */
    changed: number
    /** Of a group that was requested under a key: who requested it, the key, and the SHA-256 of the request. */
    creator_id: number | null
    client_id: string | null
    request_hash: Uint8Array | null
  }
  /** A row a stay: from the number of coming to that of leaving, both included. */
  members: {
    user_id: number
    conversation_id: number
    from_number: number
    to_number: Generated<number>
    role: 'owner' | 'member'
    delivered_up_to: number
    read_up_to: number
    /** Number of the last change of the marks, or of its announcement, where that came later. */
    receipt_number: Generated<number>
    /** 1 while a change of the marks waits to be announced. */
    receipt_due: Generated<0 | 1>
    /** What the one who left may go on knowing. */
    title_at_end: string | null
    count_at_end: number | null
  }
  messages: {
    id: number
    conversation_id: number
    sender_id: number
    content: string
    timestamp: number
    client_id: string | null
    reply_to: number | null
    metadata: string | null
    edited_at: number | null
    deleted_at: number | null
    /** Number of the last edit or deletion. */
    changed: number | null
    /** SHA-256 of the content as first sent, once it is no longer there. */
    original_hash: Uint8Array | null
  }
  blocks: {
    blocker_id: number
    blocked_id: number
    created_at: number
    /** The newest number when the block began; marks that moved after it are announced when it ends. */
    number: number
    /** What each sees of the other's marks while the block stands. */
    low_delivered: number
    low_read: number
    high_delivered: number
    high_read: number
  }
  revoked_tokens: { jti: string; expires_at: number }
  /** One row: the last number given. */
  counter: { id: 1; last: number }
  /** A row a start of the server: its cursors carry the name and hold from `first` on. */
  epochs: { number: Generated<number>; name: string; first: number }
}
