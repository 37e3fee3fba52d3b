import { Type } from '@sinclair/typebox'
import {
  ConversationId,
  Cursor,
  DeliveredMark,
  described,
  Metadata,
  openEnum,
  ReadMark,
  ref,
  type Static,
  Username,
} from './common.ts'
import { ConversationKind, MemberRole } from './conversation.ts'
import { eventSchema, serverFrame } from './frame.ts'
import { Message } from './message.ts'

export const MessageFrame = serverFrame(
  'message',
  'MessageFrame',
  'A new message. A plain socket receives it without a cursor.',
  { cursor: Type.Optional(Cursor), ...Message.properties },
)

export const MessageUpdatedFrame = serverFrame(
  'message_updated',
  'MessageUpdatedFrame',
  'A message that was edited or deleted, in its current state.',
  { cursor: Cursor, ...Message.properties },
)

export const ReceiptUpdateFrame = serverFrame(
  'receipt',
  'ReceiptUpdateFrame',
  'The current marks of a member. You receive your own too, for your other devices.',
  {
    cursor: Cursor,
    conversation_id: ConversationId,
    username: described(Username, 'The member who moved the marks.'),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
)

export const MembershipChange = openEnum(['joined', 'member', 'left'], {
  $id: 'MembershipChange',
  description:
    'Your membership after this event. `joined`: you became a member with this event. `member`: you were a member before and still are. `left`: you are no longer a member. New values may be added: treat an unknown one as `member`.',
})

export const ConversationFrame = serverFrame(
  'conversation',
  'ConversationFrame',
  'A conversation was created, its title or metadata changed, a member joined or left, or the role of a member changed. `role` is yours; it is absent in a direct conversation and after you left.',
  {
    cursor: Cursor,
    conversation_id: ConversationId,
    kind: ref(ConversationKind),
    title: Type.Optional(
      Type.String({ description: 'The title of a group; absent in a direct conversation.' }),
    ),
    peer: Type.Optional(described(Username, 'The name of the other user; absent in a group.')),
    key: Type.Optional(
      Type.String({ description: 'The key that the app gave the group; absent if there is none.' }),
    ),
    metadata: Type.Optional(ref(Metadata)),
    role: Type.Optional(ref(MemberRole)),
    member_count: Type.Integer({ description: 'The current number of members.' }),
    you: ref(MembershipChange),
  },
)

/** The schema of each event, by `type`. src/chat/event-frames.ts has the other columns. */
export const eventFrames = {
  message: MessageFrame,
  message_updated: MessageUpdatedFrame,
  receipt: ReceiptUpdateFrame,
  conversation: ConversationFrame,
}
export type EventFrames = { [K in keyof typeof eventFrames]: Static<(typeof eventFrames)[K]> }
export type EventFrame = EventFrames[keyof EventFrames]

export const EventType = openEnum(Object.keys(eventFrames), {
  $id: 'EventType',
  description:
    'The type of an event. New types may be added: skip an event of an unknown type, and keep its cursor.',
})

export const Event = eventSchema<EventFrame>(
  eventFrames,
  'x-frames',
  { type: ref(EventType), cursor: Cursor },
  {
    $id: 'Event',
    description:
      'An event, as `GET /ws` sends it. `type` decides which members it has: `x-frames` names the schema of each type. New types may be added: skip events of an unknown type, and keep their cursor.',
    required: ['type', 'cursor'],
  },
)
