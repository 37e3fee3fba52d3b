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
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
  Username,
  UsernameInput,
} from './common.ts'

const message = {
  id: described(Id, 'The id of the message. Ids rise in the order in which messages were stored, with gaps.'),
  conversation_id: ConversationId,
  sender: described(Username, 'The name of the sender.'),
  sender_id: described(Id, 'The user id of the sender.'),
  receiver: Type.Optional(described(Username, 'The name of the receiver; absent in a group.')),
  receiver_id: Type.Optional(described(Id, 'The user id of the receiver; absent in a group.')),
  content: Type.String({ description: 'The text as it was sent or last edited; empty once deleted.' }),
  timestamp: described(Timestamp, 'When the message was stored: RFC 3339, UTC, milliseconds.'),
  client_id: Type.Optional(
    described(ClientId, 'The key that the sender gave. Only the sender sees it; absent if none was given.'),
  ),
  reply_to: Type.Optional(described(Id, 'The id of the message that this one replies to; absent if none.')),
  metadata: Type.Optional(ref(Metadata)),
  edited_at: Type.Optional(described(Timestamp, 'When it was last edited; absent if never.')),
  deleted_at: Type.Optional(described(Timestamp, 'When it was deleted; absent if it was not.')),
}

export const Message = reply(message, {
  $id: 'Message',
  description: '`receiver` is absent in a group; `client_id` is shown to its sender only.',
})
export type Message = Static<typeof Message>

export const SentMessage = reply(
  { status: stringEnum(['sent'], { description: 'Always `sent`.' }), ...message },
  {
    $id: 'SentMessage',
    description: 'The message as it is stored.',
  },
)
export type SentMessage = Static<typeof SentMessage>

export const sendMembers = {
  receiver_username: Type.Optional(
    described(UsernameInput, 'The receiver of a direct message. Not together with `conversation_id`.'),
  ),
  conversation_id: Type.Optional(
    described(Id, 'A conversation that the sender is in. Not together with `receiver_username`.'),
  ),
  content: ContentInput,
  client_id: Type.Optional(ClientId),
  reply_to: Type.Optional(described(Id, 'The id of a message of the same conversation.')),
  metadata: Type.Optional(ref(Metadata)),
}

export const SendRequest = request(sendMembers, {
  $id: 'SendRequest',
  description: 'Either `receiver_username` or `conversation_id`.',
})
export type SendRequest = Static<typeof SendRequest>

export const SendHeaders = Type.Object({ 'idempotency-key': Type.Optional(ClientId) })

export const EditRequest = request(
  { content: ContentInput },
  { $id: 'EditRequest', description: 'The new content.' },
)

export const MessageParams = request({ id: idOf('message', 2) })

export const MessageList = Type.Array(ref(Message), { $id: 'MessageList', description: 'Oldest first.' })

/** In reply to a page of messages. */
export const pageHeaders = {
  'Has-Older': Type.Boolean({
    description:
      'Whether there are older messages than this page: ask for those with `before` and the id of its first message.',
  }),
  'Has-Newer': Type.Boolean({
    description:
      'Whether there are newer messages than this page: ask for those with `after` and the id of its last message.',
  }),
  Link: Type.String({
    description:
      'The pages beside this one (RFC 8288): `rel="prev"` to older, `rel="next"` to newer messages.',
  }),
}

/** In reply to a send. */
export const sentHeaders = {
  'Idempotent-Replayed': stringEnum(['true'], {
    description: 'Only for a repeat: the message is the original.',
  }),
}

export const PageQuery = request({
  limit: PageSize,
  before: Type.Optional(
    described(Id, 'A message id: the newest messages below it. Not together with `after`.'),
  ),
  after: Type.Optional(
    described(Mark, 'A message id: the oldest messages past it. Not together with `before`.'),
  ),
})
export type PageQuery = Static<typeof PageQuery>
