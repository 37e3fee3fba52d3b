import { Type } from '@sinclair/typebox'
import { User } from './account.ts'
import {
  ContentInput,
  Cursor,
  CursorInput,
  Id,
  Mark,
  ref,
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'
import { conversationKinds, Receipt, receiptMembers } from './conversation.ts'
import { Message, sendMembers } from './message.ts'
import { Problem } from './problem.ts'

const FrameId = Type.String({
  maxLength: 64,
  format: 'text',
  description: 'Returned by the `ack` or `error` that answers this frame.',
})

const clientFrame = <T extends string, P extends Parameters<typeof Type.Object>[0]>(
  type: T,
  members: P,
  options: object = {},
) =>
  request(
    { type: stringEnum([type]), id: Type.Optional(FrameId), ...members },
    { $id: `${type[0]?.toUpperCase()}${type.slice(1)}Frame`, ...options },
  )

/** What a client sends, by its `type`. A frame without one is a `send`. */
export const clientFrames = {
  send: request(
    { type: Type.Optional(stringEnum(['send'])), id: Type.Optional(FrameId), ...sendMembers },
    { $id: 'SendFrame', description: 'Either `receiver_username` or `conversation_id`.' },
  ),
  edit: clientFrame('edit', { message_id: Id, content: ContentInput }),
  delete: clientFrame('delete', { message_id: Id }),
  receipt: clientFrame('receipt', receiptMembers),
  typing: clientFrame('typing', { conversation_id: Id }),
  watch: clientFrame('watch', { usernames: Type.Array(UsernameInput, { maxItems: 100 }) }),
  auth: clientFrame('auth', { token: Type.String({ minLength: 1, maxLength: 8192 }) }),
  ping: clientFrame('ping', {}),
}
export type ClientFrames = { [K in keyof typeof clientFrames]: Static<(typeof clientFrames)[K]> }

const serverFrame = <T extends string, P extends Parameters<typeof Type.Object>[0]>(
  type: T,
  name: string,
  members: P,
  options: object = {},
) => reply({ type: stringEnum([type]), ...members }, { $id: name, ...options })

const Limits = reply({
  max_message_length: Type.Integer({ description: 'Code points.' }),
  max_frame_bytes: Type.Integer(),
  max_metadata_bytes: Type.Integer(),
  frames_per_second: Type.Integer(),
  sends_per_minute: Type.Integer({ description: '0: no limit.' }),
})

export const HelloFrame = serverFrame('hello', 'HelloFrame', {
  user: ref(User),
  cursor: Cursor,
  heartbeat_ms: Type.Integer(),
  limits: Limits,
})

export const MessageFrame = serverFrame(
  'message',
  'MessageFrame',
  { cursor: Type.Optional(Cursor), ...Message.properties },
  { description: 'A new message; without a cursor on a plain socket.' },
)

export const MessageUpdatedFrame = serverFrame(
  'message_updated',
  'MessageUpdatedFrame',
  { cursor: Cursor, ...Message.properties },
  { description: 'An edited or deleted message, as it is now.' },
)

export const ReceiptUpdateFrame = serverFrame('receipt', 'ReceiptUpdateFrame', {
  cursor: Cursor,
  conversation_id: Id,
  username: Username,
  delivered_up_to: Mark,
  read_up_to: Mark,
})

export const ConversationFrame = serverFrame('conversation', 'ConversationFrame', {
  cursor: Cursor,
  conversation_id: Id,
  kind: stringEnum(conversationKinds),
  title: Type.Optional(Type.String()),
  peer: Type.Optional(Username),
  member_count: Type.Integer(),
  you: stringEnum(['joined', 'member', 'left']),
})

export const TypingUpdateFrame = serverFrame('typing', 'TypingUpdateFrame', {
  conversation_id: Id,
  username: Username,
})

export const PresenceFrame = serverFrame('presence', 'PresenceFrame', {
  username: Username,
  online: Type.Boolean(),
  last_seen: Type.Optional(Timestamp),
})

export const CaughtUpFrame = serverFrame(
  'caught_up',
  'CaughtUpFrame',
  { cursor: Cursor },
  { description: 'Ends a replay.' },
)

export const AckFrame = serverFrame('ack', 'AckFrame', {
  id: Type.Optional(FrameId),
  cursor: Type.Optional(Cursor),
  message: Type.Optional(ref(Message)),
  receipt: Type.Optional(ref(Receipt)),
  duplicate: Type.Optional(Type.Boolean({ description: 'A repeat: the original message, as it is now.' })),
})

export const ErrorFrame = serverFrame('error', 'ErrorFrame', {
  id: Type.Optional(FrameId),
  retryable: Type.Boolean(),
  retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
  problem: ref(Problem),
})

export const PongFrame = serverFrame('pong', 'PongFrame', { id: Type.Optional(FrameId) })

/** Frames that stand in the stream: each has a cursor, and `/sync` gives the same. */
export const Event = Type.Unsafe<
  | Static<typeof MessageFrame>
  | Static<typeof MessageUpdatedFrame>
  | Static<typeof ReceiptUpdateFrame>
  | Static<typeof ConversationFrame>
>({
  $id: 'Event',
  oneOf: [MessageFrame, MessageUpdatedFrame, ReceiptUpdateFrame, ConversationFrame].map((frame) => ({
    $ref: `${frame.$id}#`,
  })),
  discriminator: { propertyName: 'type' },
})
export type Event = Static<typeof Event>

/** What the server sends, all of it. */
export const serverFrames = [
  HelloFrame,
  MessageFrame,
  MessageUpdatedFrame,
  ReceiptUpdateFrame,
  ConversationFrame,
  TypingUpdateFrame,
  PresenceFrame,
  CaughtUpFrame,
  AckFrame,
  ErrorFrame,
  PongFrame,
]
export type ServerFrame =
  | Static<typeof HelloFrame>
  | Event
  | Static<typeof TypingUpdateFrame>
  | Static<typeof PresenceFrame>
  | Static<typeof CaughtUpFrame>
  | Static<typeof AckFrame>
  | Static<typeof ErrorFrame>
  | Static<typeof PongFrame>
export type Hello = Static<typeof HelloFrame>

export const SyncQuery = request({
  cursor: Type.Optional(CursorInput),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
  wait: Type.Integer({ minimum: 0, maximum: 30, default: 0, description: 'Seconds.' }),
})
export type SyncQuery = Static<typeof SyncQuery>

export const SyncPage = reply(
  { events: Type.Array(ref(Event)), cursor: Cursor, more: Type.Boolean() },
  { $id: 'SyncPage' },
)
export type SyncPage = Static<typeof SyncPage>

export const SocketQuery = request({ cursor: Type.Optional(CursorInput) })
