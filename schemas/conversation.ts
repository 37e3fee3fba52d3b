import { Type } from '@sinclair/typebox'
import {
  ClientId,
  ConversationId,
  Cursor,
  DeliveredMark,
  described,
  Id,
  idOf,
  Metadata,
  metadataRule,
  openEnum,
  PageSize,
  ReadMark,
  ref,
  removable,
  reply,
  request,
  replayed,
  type Static,
  Timestamp,
  Title,
  Username,
  UsernameInPath,
  UsernameInput,
} from './common.ts'
import { Profile } from './account.ts'
import { Message } from './message.ts'
import { patterns } from './patterns.ts'

export const ConversationKind = openEnum(['direct', 'group'], {
  $id: 'ConversationKind',
  description:
    '`direct`: a conversation of two users, one per pair. `group`: a conversation with a title and any number of members. More kinds may be added: treat an unknown kind as `group`.',
})
export type ConversationKind = Static<typeof ConversationKind>

/** `src/chat/groups.ts` refuses other roles in a request. */
export const memberRoles = ['owner', 'member'] as const

export const MemberRole = openEnum(memberRoles, {
  $id: 'MemberRole',
  maxLength: 64,
  description:
    '`owner`: may change the group, add and remove members, and change roles. A group may have several owners, or none if the app made it. `member`: any other member, and both users of a direct conversation. More roles may be added: treat an unknown role as `member`.',
})
export type MemberRole = Static<typeof MemberRole>

const GroupKey = Type.String({
  minLength: 1,
  maxLength: 128,
  pattern: patterns.groupKey.pattern,
  description:
    'Key of the group, which you choose: 1 to 128 printable ASCII characters, percent-encoded, but not `.` or `..`.',
  examples: ['order-4711'],
})

export const Conversation = reply(
  {
    id: ConversationId,
    kind: ref(ConversationKind),
    peer: Type.Optional(described(Username, 'Username of the other user. Absent in a group.')),
    peer_profile: Type.Optional(ref(Profile)),
    title: Type.Optional(
      Type.String({ description: 'Title of the group. Absent in a direct conversation.' }),
    ),
    role: Type.Optional(ref(MemberRole)),
    key: Type.Optional(described(GroupKey, 'The key that the app gave the group. Absent if there is none.')),
    metadata: Type.Optional(ref(Metadata)),
    member_count: Type.Integer({ description: 'Number of members.' }),
    last_message: Type.Optional(ref(Message)),
    unread_count: Type.Integer({
      minimum: 0,
      maximum: 1000,
      description:
        'Number of messages of other users after your `read_up_to`. At most 1,000, counted among the newest 2,000 messages after it. Deleted messages are not counted.',
    }),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
    peer_delivered_up_to: Type.Optional(
      described(DeliveredMark, '`delivered_up_to` of the other user. Absent in a group.'),
    ),
    peer_read_up_to: Type.Optional(described(ReadMark, '`read_up_to` of the other user. Absent in a group.')),
  },
  {
    $id: 'Conversation',
    description:
      'A conversation as you see it. A direct conversation has `peer`, the marks of the peer and, if the peer has one, `peer_profile`. A group has `title`, `key` and `metadata` if it has them, and, while you are a member, your `role`. `last_message` is absent if there is no message that you may read.',
  },
)
export type Conversation = Static<typeof Conversation>

export const ConversationList = reply(
  {
    conversations: Type.Array(ref(Conversation), { description: 'Conversations, newest message first.' }),
    before: Type.Optional(
      described(Id, 'Send it as `before` to get the next page. Absent on the last page.'),
    ),
    cursor: described(
      Cursor,
      'Position in the event stream at which this page was read. Keep the cursor of the first page.',
    ),
  },
  { $id: 'ConversationList', description: 'A page of conversations, newest message first.' },
)
export type ConversationList = Static<typeof ConversationList>

export const ConversationsQuery = request({
  limit: {
    ...PageSize,
    description:
      'Maximum number of conversations. A page has at most 100 conversations and about 1 MiB of text. If there are more, the response has `before`.',
  },
  before: Type.Optional({ ...Id, description: '`before` of the previous page.' }),
})

export const Member = reply(
  {
    user_id: described(Id, 'Id of the user.'),
    username: Username,
    profile: Type.Optional(ref(Profile)),
    role: ref(MemberRole),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
  {
    $id: 'Member',
    description: 'A member of a conversation. `profile` is absent if the user has set nothing.',
  },
)
export type Member = Static<typeof Member>

export const MemberList = reply(
  { members: Type.Array(ref(Member), { description: 'All members, oldest member first.' }) },
  { $id: 'MemberList', description: 'Members of a conversation, oldest member first.' },
)

const marks = { delivered_up_to: Type.Optional(DeliveredMark), read_up_to: Type.Optional(ReadMark) }

export const receiptMembers = { conversation_id: ConversationId, ...marks }

export const ReceiptRequest = request(marks, {
  $id: 'ReceiptRequest',
  minProperties: 1,
  description: 'Ids of the messages up to which all messages were delivered or read. Give at least one.',
})

export const Receipt = reply(
  {
    conversation_id: ConversationId,
    username: described(Username, 'Username of the user whose marks these are.'),
    delivered_up_to: DeliveredMark,
    read_up_to: ReadMark,
  },
  { $id: 'Receipt', description: 'Marks of a user in a conversation.' },
)
export type Receipt = Static<typeof Receipt>

export const GroupRequest = request(
  {
    title: Title,
    members: Type.Array(UsernameInput, {
      maxItems: 1024,
      description: 'Usernames of the other members. Repeated names and your own name are ignored.',
    }),
    metadata: Type.Optional(ref(Metadata)),
  },
  { $id: 'GroupRequest', description: 'Title, members and metadata of a new group.' },
)
export type GroupRequest = Static<typeof GroupRequest>

export const GroupHeaders = Type.Object({
  'idempotency-key': Type.Optional({
    ...ClientId,
    description: 'Idempotency key of the group: a repeated key returns the original group. Use a UUIDv7.',
  }),
})

/** Response headers of group creation. */
export const groupHeaders = replayed(
  'Present only if the key was used before. The response is the original group in its current state.',
)

export const RenameRequest = request(
  { title: Type.Optional(Title), metadata: removable<Record<string, unknown>>('object', metadataRule) },
  {
    $id: 'RenameRequest',
    minProperties: 1,
    description: 'New title or metadata of the group. An absent member stays as it is.',
  },
)
export type RenameRequest = Static<typeof RenameRequest>

export const GroupKeyParams = request({ key: GroupKey })

/** Response headers of a group with a key. */
export const groupKeyHeaders = replayed(
  'Present only if the group existed. The response is the group in its current state.',
)

export const MemberRequest = Type.Unsafe<{ role?: MemberRole } | null>({
  ...request({ role: Type.Optional(ref(MemberRole)) }),
  $id: 'MemberRequest',
  type: ['object', 'null'],
  description:
    'Role of the member. Without a role, a new member becomes a `member`, and a current member keeps the role. The body may be absent.',
})

export const GroupParams = request({ id: idOf('group', 2) })

export const GroupMemberParams = request({ id: idOf('group', 2), username: UsernameInPath })

export const Block = reply(
  { username: Username, blocked_at: described(Timestamp, 'Time of the block: RFC 3339, UTC, milliseconds.') },
  { $id: 'Block', description: 'A user whom you block, and the time of the block.' },
)
export type Block = Static<typeof Block>

export const BlockList = reply(
  {
    blocks: Type.Array(ref(Block), { description: 'Blocks, newest first.' }),
    before: Type.Optional(
      Type.String({ description: 'Send it as `before` to get the next page. Absent on the last page.' }),
    ),
  },
  { $id: 'BlockList', description: 'A page of the users whom you block, newest block first.' },
)
export type BlockList = Static<typeof BlockList>

export const BlocksQuery = request({
  limit: { ...PageSize, default: 1000 },
  before: Type.Optional(
    Type.String({ pattern: patterns.blockPosition.pattern, description: '`before` of the previous page.' }),
  ),
})
