import { type TSchema, Type } from '@sinclair/typebox'
import { User } from './account.ts'
import {
  ContentInput,
  Cursor,
  CursorInput,
  Id,
  Mark,
  PageSize,
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
  edit: clientFrame(
    'edit',
    { message_id: Id, content: ContentInput },
    { description: 'Replaces the content of my message.' },
  ),
  delete: clientFrame(
    'delete',
    { message_id: Id },
    { description: 'Empties my message; it keeps its place.' },
  ),
  receipt: clientFrame('receipt', receiptMembers, { description: 'Moves my marks forward.' }),
  typing: clientFrame(
    'typing',
    { conversation_id: Id },
    { description: 'I am typing; never stored nor answered, and passed on at most once in 3 s.' },
  ),
  watch: clientFrame(
    'watch',
    { usernames: Type.Array(UsernameInput, { maxItems: 100 }) },
    {
      description:
        'Whose presence I want to see, in place of the last list: people I am in a conversation with.',
    },
  ),
  auth: clientFrame(
    'auth',
    { token: Type.String() },
    { description: 'A fresh token of the same user, before the one that the socket has ends.' },
  ),
  ping: clientFrame(
    'ping',
    {},
    { description: 'Asks for a `pong`: browsers can’t see the pings of the protocol.' },
  ),
}
export type ClientFrames = { [K in keyof typeof clientFrames]: Static<(typeof clientFrames)[K]> }

const serverFrame = <T extends string, P extends Parameters<typeof Type.Object>[0]>(
  type: T,
  name: string,
  members: P,
  options: object = {},
) => reply({ type: stringEnum([type]), ...members }, { $id: name, ...options })

export const Limits = reply(
  {
    max_message_length: Type.Integer({ description: 'Code points.' }),
    max_frame_bytes: Type.Integer(),
    max_metadata_bytes: Type.Integer(),
    frames_per_second: Type.Integer(),
    sends_per_minute: Type.Integer({ description: '0: no limit.' }),
  },
  { $id: 'Limits', description: 'What a client must keep to.' },
)

export const HelloFrame = serverFrame(
  'hello',
  'HelloFrame',
  {
    user: ref(User),
    cursor: Cursor,
    heartbeat_ms: Type.Integer({ description: 'Milliseconds; who is silent for two of them is closed.' }),
    limits: ref(Limits),
  },
  {
    description:
      'The first frame, unless an `error` before it says that the cursor is unknown; its cursor is where this stream goes on.',
  },
)

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

export const ReceiptUpdateFrame = serverFrame(
  'receipt',
  'ReceiptUpdateFrame',
  {
    cursor: Cursor,
    conversation_id: Id,
    username: Username,
    delivered_up_to: Mark,
    read_up_to: Mark,
  },
  { description: 'Somebody’s marks, mine on other devices too, as they are now.' },
)

export const ConversationFrame = serverFrame(
  'conversation',
  'ConversationFrame',
  {
    cursor: Cursor,
    conversation_id: Id,
    kind: stringEnum(conversationKinds),
    title: Type.Optional(Type.String()),
    peer: Type.Optional(Username),
    member_count: Type.Integer(),
    you: stringEnum(['joined', 'member', 'left']),
  },
  { description: 'A conversation was made or renamed, or somebody came or left.' },
)

export const TypingUpdateFrame = serverFrame(
  'typing',
  'TypingUpdateFrame',
  {
    conversation_id: Id,
    username: Username,
  },
  { description: 'Somebody is typing; without a cursor.' },
)

export const PresenceFrame = serverFrame(
  'presence',
  'PresenceFrame',
  {
    username: Username,
    online: Type.Boolean(),
    last_seen: Type.Optional(Timestamp),
  },
  { description: 'Whether somebody whom I watch is online; without a cursor.' },
)

export const CaughtUpFrame = serverFrame(
  'caught_up',
  'CaughtUpFrame',
  { cursor: Cursor },
  { description: 'Ends a replay.' },
)

export const AckFrame = serverFrame(
  'ack',
  'AckFrame',
  {
    id: Type.Optional(FrameId),
    cursor: Type.Optional(Cursor),
    message: Type.Optional(ref(Message)),
    receipt: Type.Optional(ref(Receipt)),
    duplicate: Type.Optional(Type.Boolean({ description: 'A repeat: the original message, as it is now.' })),
  },
  {
    description:
      'Answers a frame. That of a change carries its cursor and stands in order among the other frames.',
  },
)

export const ErrorFrame = serverFrame(
  'error',
  'ErrorFrame',
  {
    id: Type.Optional(FrameId),
    retryable: Type.Boolean(),
    retry_after: Type.Optional(Type.Integer({ description: 'Seconds.' })),
    problem: ref(Problem),
  },
  { description: 'What was wrong with a frame, as a problem of HTTP.' },
)

export const PongFrame = serverFrame(
  'pong',
  'PongFrame',
  { id: Type.Optional(FrameId) },
  { description: 'Answers a `ping`.' },
)

/** One of several frames, told apart by `type`. */
const oneOfFrames = (frames: readonly TSchema[], options: object) => ({
  oneOf: frames.map(({ $id }) => ({ $ref: `${$id}#` })),
  discriminator: {
    propertyName: 'type',
    mapping: Object.fromEntries(
      frames.map(({ $id, properties }) => [properties.type.enum[0], `#/components/schemas/${$id}`]),
    ),
  },
  ...options,
})

/** Frames that stand in the stream: each has a cursor, and `/sync` gives the same. */
export const Event = Type.Unsafe<
  | Static<typeof MessageFrame>
  | Static<typeof MessageUpdatedFrame>
  | Static<typeof ReceiptUpdateFrame>
  | Static<typeof ConversationFrame>
>(
  oneOfFrames([MessageFrame, MessageUpdatedFrame, ReceiptUpdateFrame, ConversationFrame], {
    $id: 'Event',
    description: 'A frame that stands in the stream: it has a cursor, and `/sync` gives the same.',
  }),
)
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

/** Named for SDKs: what a client may read, and what it may write. */
export const AnyServerFrame = Type.Unsafe<ServerFrame>(
  oneOfFrames(serverFrames, { $id: 'ServerFrame', description: 'What the server sends.' }),
)
export const AnyClientFrame = Type.Unsafe<ClientFrames[keyof ClientFrames]>({
  $id: 'ClientFrame',
  description: 'What a client sends; a frame without `type` is a `send`.',
  oneOf: Object.values(clientFrames).map(({ $id }) => ({ $ref: `${$id}#` })),
})

export const SyncQuery = request({
  cursor: Type.Optional(CursorInput),
  limit: PageSize,
  wait: Type.Integer({
    minimum: 0,
    maximum: 30,
    default: 0,
    description: 'Seconds to wait where nothing has happened yet.',
  }),
})
export type SyncQuery = Static<typeof SyncQuery>

export const SyncPage = reply(
  { events: Type.Array(ref(Event)), cursor: Cursor, more: Type.Boolean() },
  {
    $id: 'SyncPage',
    description: 'Events in order; the next page begins at `cursor`, and `more` says whether it has any.',
  },
)
export type SyncPage = Static<typeof SyncPage>

export const SocketQuery = request({ cursor: Type.Optional(CursorInput) })

/** The only subprotocol; what is offered beside it may be a token, and is never echoed. */
export const PROTOCOL = 'messenger.v1'

/** For the route of the socket: what goes over it once it is open. */
export const socketFrames = {
  'x-websocket': {
    subprotocol: PROTOCOL,
    sends: { $ref: '#/components/schemas/ClientFrame' },
    receives: { $ref: '#/components/schemas/ServerFrame' },
  },
}
