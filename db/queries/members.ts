import { type Kysely, sql } from 'kysely'
import { query } from '../query.ts'
import { OPEN, type Tables } from '../tables.ts'

export const insertMember = query<{
  user_id: number
  conversation_id: number
  number: number
  role: 'owner' | 'member'
  delivered_up_to: number
  read_up_to: number
}>()((db, arg) =>
  db.insertInto('members').values({
    user_id: arg('user_id'),
    conversation_id: arg('conversation_id'),
    from_number: arg('number'),
    role: arg('role'),
    delivered_up_to: arg('delivered_up_to'),
    read_up_to: arg('read_up_to'),
  } as never),
)

/** Those who are in a conversation now, the oldest first. An index of open stays serves the number in the text. */
export const membersOf = query<{ conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select([
      'members.user_id',
      'users.username',
      'members.role',
      'members.from_number',
      'members.delivered_up_to',
      'members.read_up_to',
    ])
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .orderBy('members.from_number')
    .orderBy('members.user_id'),
)

/** The latest stay of one in a conversation, with the number of its members. */
export const latestStay = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['members.to_number', 'conversations.member_count'])
    .where('members.user_id', '=', arg('user_id'))
    .where('members.conversation_id', '=', arg('conversation_id'))
    .orderBy('members.from_number', 'desc')
    .limit(1),
)

/** The last stay that began at a number or before it: the only one that may hold the number. */
export const stayAt = query<{ user_id: number; conversation_id: number; number: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .select('to_number')
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '<=', arg('number'))
    .orderBy('from_number', 'desc')
    .limit(1),
)

/** All of one's stays in a conversation, the newest first. */
export const staysIn = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .selectAll()
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .orderBy('from_number', 'desc'),
)

/** The same, with what the conversation is. */
const staysAndRoom = (db: Kysely<Tables>, user_id: number) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['conversations.id', 'conversations.kind', 'conversations.low_id', 'conversations.high_id'])
    .select(['members.from_number', 'members.to_number'])
    .where('members.user_id', '=', user_id)
    .orderBy('members.from_number', 'desc')

export const staysById = query<{ user_id: number; id: number }>()((db, arg) =>
  staysAndRoom(db, arg('user_id')).where('conversations.id', '=', arg('id')),
)

export const staysByPair = query<{ user_id: number; low_id: number; high_id: number }>()((db, arg) =>
  staysAndRoom(db, arg('user_id'))
    .where('conversations.low_id', '=', arg('low_id'))
    .where('conversations.high_id', '=', arg('high_id')),
)

export const setMarks = query<{
  user_id: number
  conversation_id: number
  from_number: number
  delivered_up_to: number
  read_up_to: number
  number: number
  due: 0 | 1
}>()((db, arg) =>
  db
    .updateTable('members')
    .set({
      delivered_up_to: arg('delivered_up_to'),
      read_up_to: arg('read_up_to'),
      receipt_number: arg('number'),
      receipt_due: arg('due'),
    })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

/** Stays whose marks changed and were not announced. The 1 stands in the text: an index of such rows only serves it. */
export const dueReceipts = query()((db) =>
  db.selectFrom('members').select(['user_id', 'conversation_id']).where('receipt_due', '=', sql.lit(1)),
)

export const endStay = query<{
  user_id: number
  conversation_id: number
  from_number: number
  number: number
  title: string
  count: number
}>()((db, arg) =>
  db
    .updateTable('members')
    .set({
      to_number: arg('number'),
      role: 'member',
      receipt_due: 0,
      title_at_end: arg('title'),
      count_at_end: arg('count'),
    })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

export const makeOwner = query<{ user_id: number; conversation_id: number; from_number: number }>()(
  (db, arg) =>
    db
      .updateTable('members')
      .set({ role: 'owner' })
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      .where('from_number', '=', arg('from_number')),
)

/** One's stays behind one of them, and whether each is in a group and goes on. */
export const staysBehind = query<{
  user_id: number
  conversation_id: number
  from_number: number
  limit: number
}>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select(['members.conversation_id', 'members.from_number'])
    .select(({ and, eb }) =>
      and([eb('members.to_number', '=', OPEN), eb('conversations.kind', '=', 'group')])
        .$castTo<0 | 1>()
        .as('is_open_group'),
    )
    .where('members.user_id', '=', arg('user_id'))
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('members.conversation_id', 'members.from_number'),
        '>',
        tuple(arg('conversation_id'), arg('from_number')),
      ),
    )
    .orderBy('members.conversation_id')
    .orderBy('members.from_number')
    .limit(arg('limit')),
)

/**
 * A user's stays behind one of them, and whether another is in the conversation with them now: a few rows at a time, since
 * nothing bounds how many one has.
 */
export const sharedStays = query<{
  user_id: number
  other_id: number
  conversation_id: number
  from_number: number
  limit: number
}>()((db, arg) =>
  db
    .selectFrom((inner) =>
      inner
        .selectFrom('members')
        .select(['conversation_id', 'from_number', 'to_number'])
        .where('user_id', '=', arg('user_id'))
        .where(({ eb, refTuple, tuple }) =>
          eb(
            refTuple('conversation_id', 'from_number'),
            '>',
            tuple(arg('conversation_id'), arg('from_number')),
          ),
        )
        .orderBy('conversation_id')
        .orderBy('from_number')
        .limit(arg('limit'))
        .as('mine'),
    )
    .select(['mine.conversation_id', 'mine.from_number'])
    .select(({ and, eb, exists, selectFrom }) =>
      and([
        eb('mine.to_number', '=', OPEN),
        exists(
          selectFrom('members as other')
            .select('other.user_id')
            .where('other.user_id', '=', arg('other_id'))
            .whereRef('other.conversation_id', '=', 'mine.conversation_id')
            .where('other.to_number', '=', OPEN),
        ),
      ])
        .$castTo<0 | 1>()
        .as('is_shared'),
    )
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number'),
)
