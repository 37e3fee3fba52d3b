import { Type } from '@sinclair/typebox'
import {
  ClientId,
  ContentInput,
  ConversationId,
  described,
  Id,
  idOf,
  Mark,
  Metadata,
  PageSize,
  ref,
  replayed,
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'

const message = {
  id: described(Id, 'Id of the message. Ids rise in the order in which messages were stored, with gaps.'),
  conversation_id: ConversationId,
  sender: described(Username, 'Username of the sender.'),
  sender_id: described(Id, 'User id of the sender.'),
  receiver: Type.Optional(described(Username, 'Username of the receiver. Absent in a group.')),
  receiver_id: Type.Optional(described(Id, 'User id of the receiver. Absent in a group.')),
  content: Type.String({ description: 'Text of the message, as sent or last edited. Empty after deletion.' }),
  timestamp: described(Timestamp, 'Time at which the message was stored: RFC 3339, UTC, milliseconds.'),
  client_id: Type.Optional(
    described(
      ClientId,
      'Idempotency key of the sender. Only the sender receives it. Absent if the sender gave none.',
    ),
  ),
  reply_to: Type.Optional(
    described(Id, 'Id of the message that this message replies to. Absent if it is not a reply.'),
  ),
  metadata: Type.Optional(ref(Metadata)),
  edited_at: Type.Optional(
    described(Timestamp, 'Time of the last edit. Absent if the message was never edited.'),
  ),
  deleted_at: Type.Optional(
    described(Timestamp, 'Time of the deletion. Absent if the message was not deleted.'),
  ),
}

export const Message = reply(message, {
  $id: 'Message',
  description:
    'A message. `receiver` and `receiver_id` are absent in a group. Only the sender receives `client_id`.',
})
export type Message = Static<typeof Message>

export const SentMessage = reply(
  { status: stringEnum(['sent'], { description: 'Always `sent`.' }), ...message },
  {
    $id: 'SentMessage',
    description: 'The stored message.',
  },
)
export type SentMessage = Static<typeof SentMessage>

export const sendMembers = {
  receiver_username: Type.Optional(
    described(
      UsernameInput,
      'Username of the receiver of a direct message. Do not combine with `conversation_id`.',
    ),
  ),
  conversation_id: Type.Optional(
    described(Id, 'Id of a conversation of which you are a member. Do not combine with `receiver_username`.'),
  ),
  content: ContentInput,
  client_id: Type.Optional(ClientId),
  reply_to: Type.Optional(
    described(Id, 'Id of the message that you reply to. It must be in the same conversation.'),
  ),
  metadata: Type.Optional(ref(Metadata)),
}

export const SendRequest = request(sendMembers, {
  $id: 'SendRequest',
  description: 'A message to send. Give either `receiver_username` or `conversation_id`.',
})
export type SendRequest = Static<typeof SendRequest>

export const SendHeaders = Type.Object({ 'idempotency-key': Type.Optional(ClientId) })

export const EditRequest = request(
  { content: ContentInput },
  { $id: 'EditRequest', description: 'New content of the message.' },
)

export const MessageParams = request({ id: idOf('message', 5) })

export const MessageList = Type.Array(ref(Message), {
  $id: 'MessageList',
  description: 'A page of messages, oldest first.',
})

/** Response headers of a page of messages. */
export const pageHeaders = {
  'Has-Older': Type.Boolean({
    description:
      'Whether older messages exist. To get them, send the id of the first message of this page as `before`.',
  }),
  'Has-Newer': Type.Boolean({
    description:
      'Whether newer messages exist. To get them, send the id of the last message of this page as `after`.',
  }),
  Link: Type.String({
    description:
      'Links to the adjacent pages (RFC 8288): `rel="prev"` for older messages, `rel="next"` for newer messages.',
  }),
}

/** Response headers of a send. */
export const sentHeaders = replayed(
  'Present only if the key was used before. The response is the original message in its current state.',
)

export const PageQuery = request({
  limit: PageSize,
  before: Type.Optional(
    described(Id, 'Message id: returns the newest messages before it. Do not combine with `after`.'),
  ),
  after: Type.Optional(
    described(Mark, 'Message id: returns the oldest messages after it. Do not combine with `before`.'),
  ),
})
export type PageQuery = Static<typeof PageQuery>
