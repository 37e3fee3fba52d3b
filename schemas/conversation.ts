import { Type } from '@sinclair/typebox'
import {
  ClientId,
  ConversationId,
  Cursor,
  DeliveredMark,
  described,
  Id,
  idOf,
  openEnum,
  PageSize,
  ReadMark,
  ref,
  reply,
  request,
  stringEnum,
  type Static,
  Timestamp,
  Title,
  Username,
  UsernameInPath,
  UsernameInput,
} from './common.ts'
import { Message } from './message.ts'

export const ConversationKind = openEnum(['direct', 'group'], {
  $id: 'ConversationKind',
  description:
    '`direct`: between two users, one per pair. `group`: with a title and an owner. There may be more: show an unknown one as a group.',
})
export type ConversationKind = Static<typeof ConversationKind>

export const MemberRole = openEnum(['owner', 'member'], {
  $id: 'MemberRole',
  description:
    '`owner`: may rename the group and add and remove members. `member`: any other, and both of a direct conversation. There may be more: treat an unknown one as `member`.',
})
export type MemberRole = Static<typeof MemberRole>

export const Conversation = reply(
  {
    id: ConversationId,
    kind: ref(ConversationKind),
    peer: Type.Optional(described(Username, 'The name of the other user; absent in a group.')),
    title: Type.Optional(Type.String({ description: 'The title of a group; absent in a direct one.' })),
    role: Type.Optional(ref(MemberRole)),
    member_count: Type.Integer({ description: 'How many members it has now.' }),
    last_message: Type.Optional(ref(Message)),
    unread_count: Type.Integer({
      minimum: 0,
      maximum: 1000,
      description:
        'Messages of others past my `read_up_to`, counted up to 1,000 among the newest 2,000 past it. My own and deleted ones are not counted.',
    }),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
    peer_delivered_up_to: Type.Optional(
      described(DeliveredMark, 'The `delivered_up_to` of the other user; absent in a group.'),
    ),
    peer_read_up_to: Type.Optional(
      described(ReadMark, 'The `read_up_to` of the other user; absent in a group.'),
    ),
  },
  {
    $id: 'Conversation',
    description:
      'A conversation as the caller sees it: a direct one has `peer` and its marks, a group has `title` and the caller’s `role`, which is absent after leaving. `last_message` is absent while there is none.',
  },
)
export type Conversation = Static<typeof Conversation>

export const ConversationList = reply(
  {
    conversations: Type.Array(ref(Conversation), { description: 'The page, by newest message.' }),
    before: Type.Optional(described(Id, 'The `before` of the next page; absent on the last page.')),
    cursor: described(Cursor, 'The position of this page in the stream: keep that of the first page.'),
  },
  { $id: 'ConversationList', description: 'By newest message.' },
)
export type ConversationList = Static<typeof ConversationList>

export const ConversationsQuery = request({
  limit: {
    ...PageSize,
    description:
      'How many at most. A page has 100 or about 1 MiB at most: `before` says whether there are more.',
  },
  before: Type.Optional({ ...Id, description: 'The `before` of the last page.' }),
})

export const Member = reply(
  {
    user_id: described(Id, 'The id of the user.'),
    username: Username,
    role: ref(MemberRole),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
  { $id: 'Member', description: 'One who is in a conversation.' },
)
export type Member = Static<typeof Member>

export const MemberList = reply(
  { members: Type.Array(ref(Member), { description: 'All members, the oldest first.' }) },
  { $id: 'MemberList', description: 'Who is in a conversation, the oldest member first.' },
)

const marks = { delivered_up_to: Type.Optional(DeliveredMark), read_up_to: Type.Optional(ReadMark) }

export const receiptMembers = { conversation_id: ConversationId, ...marks }

export const ReceiptRequest = request(marks, {
  $id: 'ReceiptRequest',
  minProperties: 1,
  description: 'Message ids up to which all was delivered or read.',
})

export const Receipt = reply(
  {
    conversation_id: ConversationId,
    username: described(Username, 'Whose marks these are.'),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
  { $id: 'Receipt', description: 'Somebody’s marks in a conversation, as they are now.' },
)
export type Receipt = Static<typeof Receipt>

export const GroupRequest = request(
  {
    title: Title,
    members: Type.Array(UsernameInput, {
      maxItems: 1024,
      description: 'The names of the other members; repeats and the caller’s own name are ignored.',
    }),
  },
  { $id: 'GroupRequest', description: 'A title, and who is in the group beside me.' },
)

export const GroupHeaders = Type.Object({
  'idempotency-key': Type.Optional({
    ...ClientId,
    description: 'My own key for this group: the same key again is the same group. UUIDv7 is advised.',
  }),
})

/** In reply to a request for a group. */
export const groupHeaders = {
  'Idempotent-Replayed': stringEnum(['true'], {
    description: 'Only for a repeat: the group is the one that was made first, as it is now.',
  }),
}

export const RenameRequest = request(
  { title: Title },
  { $id: 'RenameRequest', description: 'The new title.' },
)

export const GroupParams = request({ id: idOf('group', 2) })

export const GroupMemberParams = request({ id: idOf('group', 2), username: UsernameInPath })

export const Block = reply(
  { username: Username, blocked_at: described(Timestamp, 'Since when: RFC 3339, UTC, milliseconds.') },
  { $id: 'Block', description: 'Somebody whom I block, and since when.' },
)
export type Block = Static<typeof Block>

export const BlockList = reply(
  {
    blocks: Type.Array(ref(Block), { description: 'The latest first.' }),
    before: Type.Optional(
      Type.String({ description: 'Pass it as `before` to get the next page; absent on the last page.' }),
    ),
  },
  { $id: 'BlockList', description: 'Whom I block, the latest first.' },
)
export type BlockList = Static<typeof BlockList>

export const BlocksQuery = request({
  limit: { ...PageSize, default: 1000 },
  before: Type.Optional(
    Type.String({ pattern: '^\\d{1,16}\\.\\d{1,16}$', description: 'The `before` of the last page.' }),
  ),
})
