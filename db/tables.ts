import type { Generated } from 'kysely'

/** The `to_number` of a current membership: higher than every number. */
export const OPEN = Number.MAX_SAFE_INTEGER

/** Times are milliseconds since 1970. Every `*number`, `changed` and mark is a number of the one counter of changes. */
export type Tables = {
  users: {
    id: Generated<number>
    username: string
    /** The folded name: used for lookup, search and order. */
    username_key: string
    password_hash: string | null
    /** Prefix of the ids of the account's tokens. A new family ends every token of the old one. */
    token_family: string
    /** Id of the only token of an earlier family that is still valid. */
    kept_token: string | null
    created_at: number
    removed_at: number | null
    /** 1 while a removed account is still a member of groups. */
    leaving: Generated<0 | 1>
    /** Who created the account and vouches for its user; null: it logs in here. See `db/owners.ts`. */
    owner: Generated<string | null>
    display_name: Generated<string | null>
    /** The folded display name: used for search and its order. */
    display_key: Generated<string | null>
    avatar_url: Generated<string | null>
    /** JSON text. */
    metadata: Generated<string | null>
    /** Seconds since 1970. Tokens of an issuer that were issued at that second or before are revoked. */
    tokens_from: Generated<number>
    /** Seconds since 1970. Tokens of an issuer that were issued at that second or before do not change the profile. */
    profile_from: Generated<number>
    /** Null: not suspended. `OPEN`: without an end. */
    suspended_until: Generated<number | null>
    suspended_reason: Generated<string | null>
    /** Numbers of the creation and of the last change of the profile or the removal; 0 in a row of an earlier version. */
    created_number: Generated<number>
    changed: Generated<number>
  }
  conversations: {
    id: Generated<number>
    kind: 'direct' | 'group'
    /** The two users of a direct conversation, the lower id first. */
    low_id: number | null
    high_id: number | null
    title: string | null
    member_count: number
    /** Number of the last change: creation, new title, or new members. */
    changed: number
    /** For a group that was created with an idempotency key: its creator, the key, the SHA-256 of the request. */
    creator_id: number | null
    client_id: string | null
    request_hash: Uint8Array | null
    /** The key that the app gave the group, unique. */
    key: Generated<string | null>
    /** JSON text. */
    metadata: Generated<string | null>
    /** Number of the creation; 0 in a row of an earlier version. */
    created: Generated<number>
  }
  /** One row for each membership period: from the number of joining to the number of leaving, both included. */
  members: {
    user_id: number
    conversation_id: number
    from_number: number
    to_number: Generated<number>
    role: 'owner' | 'member'
    delivered_up_to: number
    read_up_to: number
    /** Number of the last change of the marks or of its later publication. */
    receipt_number: Generated<number>
    /** 1 while a change of the marks waits for publication. */
    receipt_due: Generated<0 | 1>
    /** When the marks were last published. */
    announced_at: Generated<number>
    /** The title and the number of members that a former member sees. */
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
    /** SHA-256 of the original content, after an edit or deletion. */
    original_hash: Uint8Array | null
  }
  blocks: {
    blocker_id: number
    blocked_id: number
    created_at: number
    /** The last number when the block began. Marks that changed later are published when it ends. */
    number: number
    /** The marks that each user sees of the other during the block. */
    low_delivered: number
    low_read: number
    high_delivered: number
    high_read: number
  }
  /**
   * One row for each time that the tokens of all accounts were ended: the number of the change, a name that the ids of later
   * tokens carry, and the time in seconds since 1970, up to which tokens of issuers have ended. Tokens of all eras but the newest
   * have ended. The first era has no row and an empty name.
   */
  token_eras: { number: number; name: string; began: number }
  revoked_tokens: { jti: string; expires_at: number }
  /** One row: the last given number. */
  counter: { id: 1; last: number }
  /** One row for each start of the server. Its cursors carry the name and are valid from `first` on. */
  epochs: { number: Generated<number>; name: string; first: number }
  /** Keys of the app's backend. `hash` is the SHA-256 of a key. */
  server_keys: { name: string; hash: Uint8Array; created_at: number }
  /** `id` is the number of the report. `content` is the message as it was reported. */
  reports: {
    id: number
    message_id: number
    reporter_id: number
    reason: string
    comment: string | null
    content: string
    created_at: number
    status: string
    note: string | null
  }
  webhooks: {
    name: string
    url: string
    /** JSON list of event types; null: all. */
    types: string | null
    description: string | null
    /** Seconds after which an unread message is pushed; null: never. */
    push_after: number | null
    secret: string
    previous_secret: string | null
    previous_until: number | null
    created_at: number
    /** Rises with every change that the delivery must not overwrite, and with every step of the delivery. */
    version: number
    /** The cursor that the receiver has, as it got or gave it, and its number: every change up to it was answered. */
    cursor: string
    position: number
    /** The batch in flight covers the changes up to this number. Without one, no change after `position` up to it is for the webhook. */
    scanned: number
    /** Messages up to this id were considered for a push. */
    push_scanned: number
    disabled: Generated<0 | 1>
    /**
     * The batch in flight: its id, the number and the cursor after it, its bytes, and when they were stored. Repeated until it is
     * answered. A batch of pushes ends at `position`.
     */
    batch_id: Generated<string | null>
    batch_end: Generated<number | null>
    batch_cursor: Generated<string | null>
    batch: Generated<string | null>
    batch_at: Generated<number | null>
    /** Failed attempts of the batch, and the time of the next one. */
    attempts: Generated<number>
    next_at: Generated<number>
    last_error: Generated<string | null>
    last_error_at: Generated<number | null>
    delivered_at: Generated<number | null>
    /** The server that delivers, until when. */
    lease: Generated<string | null>
    lease_until: Generated<number>
  }
  /** The last push of a webhook for a user and a conversation: what the user had read then. */
  pushes: { webhook: string; user_id: number; conversation_id: number; read_up_to: number }
}
