import { Type } from '@sinclair/typebox'
import { User } from './account.ts'
import { ConversationId, Cursor, described, ref, reply, type Static, Timestamp, Username } from './common.ts'
import { Receipt } from './conversation.ts'
import { eventFrames } from './events.ts'
import { FrameId, serverFrame } from './frame.ts'
import { Message } from './message.ts'
import { Problem } from './problem.ts'

export const Limits = reply(
  {
    max_message_length: Type.Integer({ description: 'Code points of the longest `content`.' }),
    max_frame_bytes: Type.Integer({ description: 'Bytes of the longest frame that a client may send.' }),
    max_metadata_bytes: Type.Integer({ description: 'Bytes of the longest `metadata`, as JSON.' }),
    frames_per_second: Type.Integer({ description: 'Frames that a socket may send per second.' }),
    sends_per_minute: Type.Integer({
      description: 'Messages that a user may send per minute; 0 means no limit.',
    }),
  },
  { $id: 'Limits', description: 'The limits that the server enforces.' },
)

export const HelloFrame = serverFrame(
  'hello',
  'HelloFrame',
  'The first frame, except that an `error` precedes it when the cursor is unknown. The stream continues from its cursor.',
  {
    user: ref(User),
    cursor: Cursor,
    heartbeat_ms: Type.Integer({
      description:
        'The heartbeat interval in milliseconds. The server closes a socket that is silent for two.',
    }),
    limits: ref(Limits),
  },
)

export const TypingUpdateFrame = serverFrame(
  'typing',
  'TypingUpdateFrame',
  'A member is typing. The frame has no cursor.',
  { conversation_id: ConversationId, username: described(Username, 'The member who is typing.') },
)

export const PresenceFrame = serverFrame(
  'presence',
  'PresenceFrame',
  'The presence of a user whom you watch. The frame has no cursor.',
  {
    username: described(Username, 'The watched user.'),
    online: Type.Boolean({ description: 'Whether the user has an open socket.' }),
    last_seen: Type.Optional(
      described(
        Timestamp,
        'When the user’s last socket closed; absent while the user is online, or if unknown.',
      ),
    ),
  },
)

export const UserFrame = serverFrame(
  'user',
  'UserFrame',
  'A user with whom you share a conversation has changed their profile, or you have yours. The frame has no cursor.',
  { user: ref(User) },
)

export const CaughtUpFrame = serverFrame(
  'caught_up',
  'CaughtUpFrame',
  'Ends the replay of missed events. Live events follow.',
  { cursor: Cursor },
)

export const AckFrame = serverFrame(
  'ack',
  'AckFrame',
  'Answers a frame. The `ack` of a change has the cursor of its event and replaces that event in the stream.',
  {
    id: Type.Optional(FrameId),
    cursor: Type.Optional(Cursor),
    message: Type.Optional(ref(Message)),
    receipt: Type.Optional(ref(Receipt)),
    duplicate: Type.Optional(
      Type.Boolean({
        description: 'True for a repeated send. `message` is the original, in its current state.',
      }),
    ),
  },
)

export const ErrorFrame = serverFrame(
  'error',
  'ErrorFrame',
  'Refuses a frame. `problem` is the same object as the body of a refused HTTP request.',
  {
    id: Type.Optional(FrameId),
    retryable: Type.Boolean({ description: 'Whether the same frame may succeed later.' }),
    retry_after: Type.Optional(
      Type.Integer({
        description: 'Seconds to wait before the next attempt; absent if you may retry at any time.',
      }),
    ),
    problem: ref(Problem),
  },
)

export const PongFrame = serverFrame('pong', 'PongFrame', 'Answers a `ping`.', {
  id: Type.Optional(FrameId),
})

/** The schema of each frame that the server sends, by `type`. */
export const serverFrames = {
  hello: HelloFrame,
  ...eventFrames,
  typing: TypingUpdateFrame,
  presence: PresenceFrame,
  user: UserFrame,
  caught_up: CaughtUpFrame,
  ack: AckFrame,
  error: ErrorFrame,
  pong: PongFrame,
}
export type ServerFrames = { [K in keyof typeof serverFrames]: Static<(typeof serverFrames)[K]> }
export type ServerFrame = ServerFrames[keyof ServerFrames]

export const ServerFrame = Type.Unsafe<ServerFrame>({
  $id: 'ServerFrame',
  description: 'A frame that the server sends.',
  oneOf: Object.values(serverFrames).map(({ $id }) => ({ $ref: `${$id}#` })),
  discriminator: {
    propertyName: 'type',
    mapping: Object.fromEntries(
      Object.entries(serverFrames).map(([type, { $id }]) => [type, `#/components/schemas/${$id}`]),
    ),
  },
})
