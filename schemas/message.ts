import { Type } from '@sinclair/typebox'
import {
  ClientId,
  ContentInput,
  Id,
  idOf,
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
  id: Id,
  conversation_id: Id,
  sender: Username,
  sender_id: Id,
  receiver: Type.Optional(Username),
  receiver_id: Type.Optional(Id),
  content: Type.String(),
  timestamp: Timestamp,
  client_id: Type.Optional(ClientId),
  reply_to: Type.Optional(Id),
  metadata: Type.Optional(Metadata),
  edited_at: Type.Optional(Timestamp),
  deleted_at: Type.Optional(Timestamp),
}

export const Message = reply(message, {
  $id: 'Message',
  description: '`receiver` is absent in a group; `client_id` is shown to its sender only.',
})
export type Message = Static<typeof Message>

export const SentMessage = reply(
  { status: stringEnum(['sent']), ...message },
  {
    $id: 'SentMessage',
    description: 'The message as it is stored.',
  },
)
export type SentMessage = Static<typeof SentMessage>

export const sendMembers = {
  receiver_username: Type.Optional(UsernameInput),
  conversation_id: Type.Optional(Id),
  content: ContentInput,
  client_id: Type.Optional(ClientId),
  reply_to: Type.Optional(Id),
  metadata: Type.Optional(Metadata),
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
  before: Type.Optional({ ...Id, description: 'A message id: the newest messages below it.' }),
  after: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: 'A message id: the oldest messages past it. Not together with `before`.',
    }),
  ),
})
export type PageQuery = Static<typeof PageQuery>
