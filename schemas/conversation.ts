import { Type } from '@sinclair/typebox'
import {
  Cursor,
  Id,
  idOf,
  Mark,
  PageSize,
  ref,
  reply,
  request,
  type Static,
  stringEnum,
  Timestamp,
  Title,
  Username,
  UsernameInPath,
  UsernameInput,
} from './common.ts'
import { Message } from './message.ts'

export const conversationKinds = ['direct', 'group'] as const
export const roles = ['owner', 'member'] as const

export const Conversation = reply(
  {
    id: Id,
    kind: stringEnum(conversationKinds),
    peer: Type.Optional(Username),
    title: Type.Optional(Type.String()),
    role: Type.Optional(stringEnum(roles, { description: 'Absent once one has left.' })),
    member_count: Type.Integer(),
    last_message: Type.Optional(ref(Message)),
    unread_count: Type.Integer({ minimum: 0, maximum: 1000 }),
    delivered_up_to: Mark,
    read_up_to: Mark,
    peer_delivered_up_to: Type.Optional(Mark),
    peer_read_up_to: Type.Optional(Mark),
  },
  {
    $id: 'Conversation',
    description:
      'A conversation as I see it: a direct one has `peer` and that one’s marks, a group `title` and my `role`.',
  },
)
export type Conversation = Static<typeof Conversation>

export const ConversationList = reply(
  {
    conversations: Type.Array(ref(Conversation)),
    before: Type.Optional(
      Type.Integer({ description: 'Where the next page begins; absent on the last one.' }),
    ),
    cursor: Cursor,
  },
  { $id: 'ConversationList', description: 'By newest message.' },
)
export type ConversationList = Static<typeof ConversationList>

export const ConversationsQuery = request({
  limit: PageSize,
  before: Type.Optional({ ...Id, description: 'The `before` of the last page.' }),
})

export const Member = reply(
  {
    user_id: Id,
    username: Username,
    role: stringEnum(roles),
    delivered_up_to: Mark,
    read_up_to: Mark,
  },
  { $id: 'Member', description: 'One who is in a conversation.' },
)
export type Member = Static<typeof Member>

export const MemberList = reply(
  { members: Type.Array(ref(Member)) },
  { $id: 'MemberList', description: 'Who is in a conversation, the oldest member first.' },
)

const marks = { delivered_up_to: Type.Optional(Mark), read_up_to: Type.Optional(Mark) }

export const receiptMembers = { conversation_id: Id, ...marks }

export const ReceiptRequest = request(marks, {
  $id: 'ReceiptRequest',
  minProperties: 1,
  description: 'Message ids up to which all was delivered or read.',
})

export const Receipt = reply(
  { conversation_id: Id, username: Username, delivered_up_to: Mark, read_up_to: Mark },
  { $id: 'Receipt', description: 'Somebody’s marks in a conversation, as they are now.' },
)
export type Receipt = Static<typeof Receipt>

export const GroupRequest = request(
  { title: Title, members: Type.Array(UsernameInput, { maxItems: 1024 }) },
  { $id: 'GroupRequest', description: 'A title, and who is in the group beside me.' },
)

export const RenameRequest = request(
  { title: Title },
  { $id: 'RenameRequest', description: 'The new title.' },
)

export const GroupParams = request({ id: idOf('group', 2) })

export const GroupMemberParams = request({ id: idOf('group', 2), username: UsernameInPath })

export const Block = reply(
  { username: Username, blocked_at: Timestamp },
  { $id: 'Block', description: 'Somebody whom I block, and since when.' },
)
export type Block = Static<typeof Block>

export const BlockList = reply(
  { blocks: Type.Array(ref(Block)) },
  { $id: 'BlockList', description: 'Whom I block, the latest first.' },
)
