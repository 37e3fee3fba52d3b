import { Type } from '@sinclair/typebox'
import { User } from './account.ts'
import {
  ConversationId,
  Cursor,
  CursorInput,
  DeliveredMark,
  described,
  Metadata,
  openEnum,
  ReadMark,
  ref,
  reply,
  request,
  type Static,
  stringEnum,
  Username,
} from './common.ts'
import { ConversationKind, MemberRole } from './conversation.ts'
import { eventSchema, type Members } from './frame.ts'
import { Message } from './message.ts'
import { Report } from './report.ts'
import { SyncPage, SyncQuery } from './sync.ts'

export const ConversationState = reply(
  {
    id: ConversationId,
    kind: ref(ConversationKind),
    title: Type.Optional(
      Type.String({ description: 'Title of the group. Absent in a direct conversation.' }),
    ),
    usernames: Type.Optional(
      Type.Array(Username, {
        description:
          'Usernames of the two users of a direct conversation, or the one user of notes to oneself. Absent in a group.',
      }),
    ),
    member_count: Type.Integer({ description: 'Number of members.' }),
    key: Type.Optional(
      Type.String({ description: 'The key that the app gave the group. Absent if there is none.' }),
    ),
    metadata: Type.Optional(ref(Metadata)),
  },
  { $id: 'ConversationState', description: 'A conversation as the app sees it, without a viewer.' },
)
export type ConversationState = Static<typeof ConversationState>

const feedEvent = <T extends string, P extends Members>(
  type: T,
  $id: string,
  description: string,
  members: P,
) =>
  reply(
    {
      type: stringEnum([type], { description: `The type of the event: \`${type}\`.` }),
      cursor: Cursor,
      ...members,
    },
    { $id, description },
  )

const message = { message: ref(Message) }
const conversation = { conversation: ref(ConversationState) }
const member = {
  conversation_id: ConversationId,
  username: described(Username, 'Username of the member.'),
  role: ref(MemberRole),
}
const user = { user: ref(User) }

export const MessageCreated = feedEvent(
  'message.created',
  'MessageCreated',
  'A message was sent. If it was edited or deleted since, it is in its current state.',
  message,
)
export const MessageUpdated = feedEvent('message.updated', 'MessageUpdated', 'A message was edited.', message)
export const MessageDeleted = feedEvent(
  'message.deleted',
  'MessageDeleted',
  'A message was deleted.',
  message,
)
export const ReceiptUpdated = feedEvent(
  'receipt.updated',
  'ReceiptUpdated',
  'The marks of a member moved. Of marks that move several times within a second, the last state may be sent twice.',
  {
    conversation_id: ConversationId,
    username: described(Username, 'Username of the member.'),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
)
export const ConversationCreated = feedEvent(
  'conversation.created',
  'ConversationCreated',
  'A conversation was created. A `member.joined` of each first member follows.',
  conversation,
)
export const ConversationUpdated = feedEvent(
  'conversation.updated',
  'ConversationUpdated',
  'The title, the metadata, the members or a role of a conversation changed.',
  conversation,
)
export const MemberJoined = feedEvent('member.joined', 'MemberJoined', 'A user became a member.', member)
export const MemberLeft = feedEvent('member.left', 'MemberLeft', 'A user is no longer a member.', member)
export const UserCreated = feedEvent('user.created', 'UserCreated', 'An account was created.', user)
export const UserUpdated = feedEvent('user.updated', 'UserUpdated', 'The profile of a user changed.', user)
export const UserRemoved = feedEvent('user.removed', 'UserRemoved', 'An account was removed.', user)
export const ReportCreated = feedEvent('report.created', 'ReportCreated', 'A member reported a message.', {
  report: ref(Report),
})

/** The schema of each event of the feed, by `type`. src/chat/feed-sources.ts reads them. */
export const feedEvents = {
  'message.created': MessageCreated,
  'message.updated': MessageUpdated,
  'message.deleted': MessageDeleted,
  'receipt.updated': ReceiptUpdated,
  'conversation.created': ConversationCreated,
  'conversation.updated': ConversationUpdated,
  'member.joined': MemberJoined,
  'member.left': MemberLeft,
  'user.created': UserCreated,
  'user.updated': UserUpdated,
  'user.removed': UserRemoved,
  'report.created': ReportCreated,
}
export type FeedEvents = { [K in keyof typeof feedEvents]: Static<(typeof feedEvents)[K]> }
export type FeedEvent = FeedEvents[keyof FeedEvents]

export const FeedEventType = openEnum(Object.keys(feedEvents), {
  $id: 'FeedEventType',
  description:
    'The type of an event of the feed. New types may be added: skip an event of an unknown type, and keep its cursor.',
})

export const FeedEvent = eventSchema<FeedEvent>(
  feedEvents,
  'x-events',
  { type: ref(FeedEventType), cursor: Cursor },
  {
    $id: 'FeedEvent',
    description:
      'A change, as its row is now. `type` decides which members the event has: `x-events` names the schema of each type. One change may have several events: those before its last one have the cursor before the change, so resuming from the cursor of any event loses none. New types may be added: skip events of an unknown type, and keep their cursor.',
    required: ['type', 'cursor'],
  },
)

export const EventsQuery = request({
  ...SyncQuery.properties,
  cursor: Type.Optional(
    described(CursorInput, 'The newest cursor that you received. `0` is the cursor of the beginning.'),
  ),
})
export type EventsQuery = Static<typeof EventsQuery>

export const FeedPage = reply(
  { ...SyncPage.properties, events: Type.Array(ref(FeedEvent), { description: 'Oldest first.' }) },
  {
    $id: 'FeedPage',
    description: 'A page of the changes of everybody, in order. The next page begins at `cursor`.',
  },
)
export type FeedPage = Static<typeof FeedPage>
