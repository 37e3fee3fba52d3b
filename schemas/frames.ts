import { type TSchema, Type } from '@sinclair/typebox'
import { User } from './account.ts'
import {
  ContentInput,
  ConversationId,
  Cursor,
  CursorInput,
  DeliveredMark,
  described,
  Id,
  openEnum,
  PageSize,
  ReadMark,
  ref,
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'
import { ConversationKind, Receipt, receiptMembers } from './conversation.ts'
import { Message, sendMembers } from './message.ts'
import { Problem } from './problem.ts'

const MessageId = described(Id, 'The id of a message of the sender.')

const FrameId = Type.String({
  maxLength: 64,
  format: 'text',
  description: 'Returned by the `ack` or `error` that answers this frame.',
})

const frameType = <T extends string>(type: T) =>
  stringEnum([type], { description: `The type of the frame: \`${type}\`.` })

const clientFrame = <T extends string, P extends Parameters<typeof Type.Object>[0]>(
  type: T,
  members: P,
  options: object = {},
) =>
  request(
    { type: frameType(type), id: Type.Optional(FrameId), ...members },
    { $id: `${type[0]?.toUpperCase()}${type.slice(1)}Frame`, ...options },
  )

/** What a client sends, by its `type`. A frame without one is a `send`. */
export const clientFrames = {
  send: request(
    { type: Type.Optional(frameType('send')), id: Type.Optional(FrameId), ...sendMembers },
    { $id: 'SendFrame', description: 'Either `receiver_username` or `conversation_id`.' },
  ),
  edit: clientFrame(
    'edit',
    { message_id: MessageId, content: ContentInput },
    { description: 'Replaces the content of my message.' },
  ),
  delete: clientFrame(
    'delete',
    { message_id: MessageId },
    { description: 'Empties my message; it keeps its place.' },
  ),
  receipt: clientFrame('receipt', receiptMembers, { description: 'Moves my marks forward.' }),
  typing: clientFrame(
    'typing',
    { conversation_id: ConversationId },
    { description: 'I am typing; never stored nor answered, and passed on at most once in 3 s.' },
  ),
  watch: clientFrame(
    'watch',
    {
      usernames: Type.Array(UsernameInput, {
        maxItems: 100,
        description: 'The names to watch, 100 at most; an empty list ends watching.',
      }),
    },
    {
      description:
        'Whose presence I want to see, in place of the last list: people I am in a conversation with.',
    },
  ),
  auth: clientFrame(
    'auth',
    { token: Type.String({ description: 'The `token` of `POST /token` or `POST /login`.' }) },
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
) => reply({ type: frameType(type), ...members }, { $id: name, ...options })

export const Limits = reply(
  {
    max_message_length: Type.Integer({ description: 'Code points of the longest `content`.' }),
    max_frame_bytes: Type.Integer({ description: 'Bytes of the longest frame that a client may send.' }),
    max_metadata_bytes: Type.Integer({ description: 'Bytes of the longest `metadata`, as JSON.' }),
    frames_per_second: Type.Integer({ description: 'Frames that a socket may send in a second.' }),
    sends_per_minute: Type.Integer({
      description: 'Messages that a user may send in a minute; 0: no limit.',
    }),
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
    conversation_id: ConversationId,
    username: described(Username, 'Whose marks these are.'),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
  { description: 'Somebody’s marks, mine on other devices too, as they are now.' },
)

export const MembershipChange = openEnum(['joined', 'member', 'left'], {
  $id: 'MembershipChange',
  description:
    'What the reader is after this event: `joined`: a member since this event; `member`: a member as before; `left`: no member any more. There may be more: treat an unknown one as `member`.',
})

export const ConversationFrame = serverFrame(
  'conversation',
  'ConversationFrame',
  {
    cursor: Cursor,
    conversation_id: ConversationId,
    kind: ref(ConversationKind),
    title: Type.Optional(Type.String({ description: 'The title of a group; absent in a direct one.' })),
    peer: Type.Optional(described(Username, 'The name of the other user; absent in a group.')),
    member_count: Type.Integer({ description: 'How many members it has now.' }),
    you: ref(MembershipChange),
  },
  { description: 'A conversation was made or renamed, or somebody came or left.' },
)

export const TypingUpdateFrame = serverFrame(
  'typing',
  'TypingUpdateFrame',
  {
    conversation_id: ConversationId,
    username: described(Username, 'Who is typing.'),
  },
  { description: 'Somebody is typing; without a cursor.' },
)

export const PresenceFrame = serverFrame(
  'presence',
  'PresenceFrame',
  {
    username: described(Username, 'Whose presence this is.'),
    online: Type.Boolean({ description: 'Whether the user has an open socket.' }),
    last_seen: Type.Optional(
      described(Timestamp, 'When the last socket closed; absent while online, and if unknown.'),
    ),
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
    retryable: Type.Boolean({ description: 'Whether the same frame may succeed later.' }),
    retry_after: Type.Optional(
      Type.Integer({ description: 'Seconds to wait before the next attempt; absent if any time will do.' }),
    ),
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

const eventFrames = {
  message: MessageFrame,
  message_updated: MessageUpdatedFrame,
  receipt: ReceiptUpdateFrame,
  conversation: ConversationFrame,
}

export const EventType = openEnum(Object.keys(eventFrames), {
  $id: 'EventType',
  description:
    'The type of an event. There may be more: skip an event of an unknown type, and keep its cursor.',
})

/**
 * Frames that stand in the stream: each has a cursor, and `/sync` gives the same. As a schema this is one object with the
 * members of all of them. Generated clients refuse a whole page for one unknown variant of a `oneOf`, and ogen takes no
 * overlapping `anyOf`.
 */
export const Event = Type.Unsafe<
  { [K in keyof typeof eventFrames]: Static<(typeof eventFrames)[K]> }[keyof typeof eventFrames]
>({
  $id: 'Event',
  type: 'object',
  description:
    'A frame of the stream, as `GET /ws` sends it. `type` says which of the members it has: `x-frames` names the schema for each type. Events of other types may come: skip them, and keep their cursor.',
  required: ['type', 'cursor'],
  properties: {
    ...Object.assign({}, ...Object.values(eventFrames).map(({ properties }) => properties)),
    type: ref(EventType),
    cursor: Cursor,
  },
  'x-frames': Object.fromEntries(
    Object.entries(eventFrames).map(([type, { $id }]) => [type, `#/components/schemas/${$id}`]),
  ),
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
  {
    events: Type.Array(ref(Event), { description: 'Oldest first.' }),
    cursor: described(Cursor, 'Where the next page begins.'),
    more: Type.Boolean({ description: 'Whether there are more events now: ask again at once.' }),
  },
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
