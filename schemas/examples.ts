/**
 * The examples of the documents form one scenario, which test/documents/examples.test.ts runs on a real server: Alice invites
 * Bob to lunch and creates a group, and Carol blocks Bob. Only times, tokens, epochs and request ids differ there.
 */
const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'
const client_id = '0199f3c2-7a41-7c10-9f2e-51c0a4e3b7d8'
/** The cursor after the first `count` changes since the creation of the three accounts, each of which took a number. */
const cursor = (count: number) => `h2TqYw9k.${3 + count}`

const invitation = {
  id: 5,
  conversation_id: 1,
  sender: 'alice',
  sender_id: 1,
  content: 'Lunch on Friday?',
  timestamp: '2026-11-20T09:00:00.000Z',
  receiver: 'bob',
  receiver_id: 2,
}
/** As Alice sees it: only the sender receives `client_id`. */
const sent = { ...invitation, client_id }
const changed = { content: 'Lunch on Friday at noon?', edited_at: '2026-11-20T09:01:00.000Z' }
const edited = { ...sent, ...changed }
const deleted = { ...edited, content: '', deleted_at: '2026-11-20T09:02:00.000Z' }

/** As Bob sees it before he has read the message. */
const direct = {
  id: 1,
  kind: 'direct',
  peer: 'alice',
  peer_delivered_up_to: 0,
  peer_read_up_to: 0,
  member_count: 2,
  last_message: invitation,
  unread_count: 1,
  delivered_up_to: 0,
  read_up_to: 0,
}
const group = {
  id: 2,
  kind: 'group',
  title: 'Friday lunch',
  role: 'owner',
  member_count: 2,
  unread_count: 0,
  delivered_up_to: 0,
  read_up_to: 0,
}
/** As the app gets it. */
const keyed = {
  id: 3,
  kind: 'group',
  title: 'Friday lunch',
  key: 'order-4711',
  member_count: 1,
  unread_count: 0,
  delivered_up_to: 0,
  read_up_to: 0,
}
const renamed = { ...group, title: 'Saturday lunch' }
const profile = { display_name: 'Bob Weaver', avatar_url: 'https://example.com/bob.png' }
const bob = { id: 2, username: 'bob', profile }
const receipt = { conversation_id: 1, username: 'bob', delivered_up_to: 5, read_up_to: 5 }
const block = { username: 'bob', blocked_at: '2026-11-20T09:03:00.000Z' }
const complaint = { reason: 'spam', comment: 'I do not know the sender.' }
const sentReport = { id: 8, message_id: 5, ...complaint, created_at: '2026-11-20T09:01:30.000Z' }
const report = {
  ...sentReport,
  conversation_id: 1,
  sender: 'alice',
  reporter: 'bob',
  content: changed.content,
  status: 'open',
}
const decision = { status: 'dismissed', note: 'They are colleagues.' }
const suspension = { reason: 'Spam', until: '2030-01-01T00:00:00.000Z' }
const webhook = {
  name: 'orders',
  url: 'https://app.invalid/webhooks',
  types: ['message.created'],
  status: 'active',
  created_at: '2026-11-20T09:04:00.000Z',
  cursor: cursor(27),
  lag: 0,
  lag_seconds: 0,
  attempts: 0,
}
const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
const unknownUser = {
  type: 'urn:messenger:problem:user-not-found',
  title: 'User not found',
  status: 404,
  detail: 'No user has this name.',
  code: 'USER_NOT_FOUND',
}

/** Examples by schema name. */
export const examples = {
  LoginRequest: [{ username: 'alice' }],
  Session: [
    { token, expires_at: '2026-11-21T09:00:00.000Z', user: { id: 1, username: 'alice' } },
    { token, expires_at: '2026-11-21T09:00:00.000Z', user: bob },
  ],
  UserRequest: [{ display_name: 'Bob Weaver', avatar_url: 'https://example.com/bob.png' }],
  TokenRequest: [{ expires_in: 3600 }],
  PasswordRequest: [{ password: 'a long sentence is a good password' }],
  Profile: [profile],
  ProfileRequest: [profile],
  Me: [
    { id: 1, username: 'alice', has_password: false },
    { ...bob, has_password: false },
  ],
  User: [bob, { id: 2, username: 'bob' }],
  UserList: [{ users: [{ id: 2, username: 'bob' }] }],
  SendRequest: [{ receiver_username: 'bob', content: invitation.content, client_id }],
  SentMessage: [{ status: 'sent', ...sent }],
  EditRequest: [{ content: changed.content }],
  Message: [edited, deleted],
  MessageList: [[sent]],
  Conversation: [direct, group, renamed, { ...renamed, member_count: 3 }, keyed],
  ConversationList: [{ conversations: [direct], cursor: cursor(2) }],
  Member: [{ user_id: 1, username: 'alice', role: 'member', delivered_up_to: 0, read_up_to: 0 }],
  MemberList: [
    {
      members: [
        { user_id: 1, username: 'alice', role: 'member', delivered_up_to: 0, read_up_to: 0 },
        { user_id: 2, username: 'bob', role: 'member', delivered_up_to: 0, read_up_to: 0 },
      ],
    },
  ],
  ReceiptRequest: [{ read_up_to: 5 }],
  Receipt: [receipt],
  GroupRequest: [{ title: 'Friday lunch', members: ['bob'] }],
  RenameRequest: [{ title: 'Saturday lunch' }],
  MemberRequest: [{ role: 'member' }],
  Block: [block],
  BlockList: [{ blocks: [block] }],
  SyncPage: [
    {
      events: [
        {
          type: 'conversation',
          cursor: cursor(1),
          conversation_id: 1,
          kind: 'direct',
          peer: 'alice',
          member_count: 2,
          you: 'joined',
        },
        { type: 'message', cursor: cursor(2), ...invitation },
      ],
      cursor: cursor(2),
      more: false,
    },
  ],
  FeedPage: [
    {
      events: [{ type: 'user.created', cursor: 'h2TqYw9k.1', user: { id: 1, username: 'alice' } }],
      cursor: 'h2TqYw9k.1',
      more: true,
    },
  ],
  ReportRequest: [complaint],
  SentReport: [sentReport],
  Report: [report, { ...report, ...decision }],
  ReportList: [{ reports: [report] }],
  ReportStatusRequest: [decision],
  SuspensionRequest: [suspension],
  Suspension: [suspension],
  WebhookRequest: [{ url: webhook.url, types: webhook.types }],
  PutWebhook: [{ ...webhook, secret }],
  Webhook: [webhook],
  WebhookList: [{ webhooks: [webhook] }],
  RotatedSecret: [{ secret, previous_valid_until: '2026-11-21T09:05:00.000Z' }],
  WebhookTest: [{ error: 'app.invalid has no address.', duration_ms: 12 }],
  Health: [{ status: 'ok' }],
  Problem: [
    {
      ...unknownUser,
      errors: [{ path: '/username', message: 'username must be the name of a user', in: 'path' }],
      request_id: 'req-7',
    },
  ],

  SendFrame: [{ type: 'send', id: 'a1', receiver_username: 'bob', content: invitation.content, client_id }],
  EditFrame: [{ type: 'edit', id: 'a2', message_id: 5, content: changed.content }],
  DeleteFrame: [{ type: 'delete', id: 'a3', message_id: 5 }],
  ReceiptFrame: [{ type: 'receipt', id: 'b1', conversation_id: 1, read_up_to: 5 }],
  TypingFrame: [{ type: 'typing', conversation_id: 1 }],
  WatchFrame: [{ type: 'watch', id: 'a4', usernames: ['bob'] }],
  AuthFrame: [{ type: 'auth', id: 'a5', token }],
  PingFrame: [{ type: 'ping', id: 'a6' }],

  HelloFrame: [
    {
      type: 'hello',
      user: { id: 2, username: 'bob' },
      cursor: cursor(0),
      heartbeat_ms: 30_000,
      limits: {
        max_message_length: 4096,
        max_frame_bytes: 65_536,
        max_metadata_bytes: 1024,
        frames_per_second: 200,
        sends_per_minute: 6000,
      },
    },
  ],
  MessageFrame: [{ type: 'message', cursor: cursor(2), ...invitation }],
  MessageUpdatedFrame: [{ type: 'message_updated', cursor: cursor(4), ...invitation, ...changed }],
  ReceiptUpdateFrame: [{ type: 'receipt', cursor: cursor(3), ...receipt }],
  ConversationFrame: [
    {
      type: 'conversation',
      cursor: cursor(1),
      conversation_id: 1,
      kind: 'direct',
      peer: 'alice',
      member_count: 2,
      you: 'joined',
    },
  ],
  TypingUpdateFrame: [{ type: 'typing', conversation_id: 1, username: 'bob' }],
  PresenceFrame: [{ type: 'presence', username: 'bob', online: true }],
  UserFrame: [{ type: 'user', user: bob }],
  CaughtUpFrame: [{ type: 'caught_up', cursor: cursor(5) }],
  AckFrame: [
    { type: 'ack', id: 'a1', cursor: cursor(2), message: sent },
    { type: 'ack', id: 'b1', cursor: cursor(3), receipt },
    { type: 'ack', id: 'a4' },
  ],
  ErrorFrame: [
    {
      type: 'error',
      id: 'a7',
      retryable: false,
      problem: {
        ...unknownUser,
        errors: [
          {
            path: '/receiver_username',
            message: 'receiver_username must be the name of a user',
            in: 'frame',
          },
        ],
        request_id: '5f1c9a20-1-1',
      },
    },
  ],
  PongFrame: [{ type: 'pong', id: 'a6' }],
}
