import { type Kysely, sql } from 'kysely'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import { OPEN, type Tables } from '../tables.ts'
import { blockBetweenUsers } from './blocks.ts'
import { shownColumns } from './users.ts'

/** A position in the list of a user's membership periods: directly after this period. */
export type PeriodPosition = { conversation_id: number; from_number: number }

type PeriodPage = PeriodPosition & { user_id: number; limit: number }

/** Selects the next `limit` membership periods of a user, by conversation and start. Nothing bounds how many a user has. */
export const periodsAfter = (
  db: Kysely<Tables>,
  arg: <K extends keyof PeriodPage>(name: K) => PeriodPage[K],
) =>
  db
    .selectFrom('members')
    .where('user_id', '=', arg('user_id'))
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple('conversation_id', 'from_number'), '>', tuple(arg('conversation_id'), arg('from_number'))),
    )
    .orderBy('conversation_id')
    .orderBy('from_number')
    .limit(arg('limit'))

/** A write that changes only the marks and the role of a period. */
const marked = ({ user_id, conversation_id }: { user_id: number; conversation_id: number }) => [
  scopes.periods(user_id, conversation_id),
]

/** A write that begins or ends a period. */
const moved = (args: { user_id: number; conversation_id: number }) => [
  ...marked(args),
  scopes.memberships(args.user_id),
]

export const insertMember = query<{
  user_id: number
  conversation_id: number
  number: number
  role: 'owner' | 'member'
  delivered_up_to: number
  read_up_to: number
  announced_at: number
}>(moved)((db, arg) =>
  db.insertInto('members').values({
    user_id: arg('user_id'),
    conversation_id: arg('conversation_id'),
    from_number: arg('number'),
    role: arg('role'),
    delivered_up_to: arg('delivered_up_to'),
    read_up_to: arg('read_up_to'),
    announced_at: arg('announced_at'),
  } as never),
)

/** Current members of a conversation, the oldest first. SQLite uses the partial index only if OPEN is a literal. */
export const membersOf = query<{ conversation_id: number }>(scopes.known)((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select(['members.user_id', 'users.username', 'members.role', 'members.from_number'])
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .orderBy('members.from_number')
    .orderBy('members.user_id'),
)

/** Current members of a conversation with their profiles, the oldest first. */
export const shownMembers = query<{ conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('users', 'users.id', 'members.user_id')
    .select(['members.user_id', ...shownColumns])
    .select(['members.role', 'members.delivered_up_to', 'members.read_up_to'])
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .orderBy('members.from_number')
    .orderBy('members.user_id'),
)

/** Not all columns: a query of a node that runs may not change when a newer version adds one. */
const periodColumns = [
  'user_id',
  'conversation_id',
  'from_number',
  'to_number',
  'role',
  'delivered_up_to',
  'read_up_to',
  'receipt_number',
  'receipt_due',
  'announced_at',
  'title_at_end',
  'count_at_end',
] as const

/** The latest membership period of a user in a conversation. */
export const latestPeriod = query<{ user_id: number; conversation_id: number }>(marked)((db, arg) =>
  db
    .selectFrom('members')
    .select(periodColumns)
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .orderBy('from_number', 'desc')
    .limit(1),
)

/** The latest membership period of a user in a conversation, the start of the first one, and the number of the newest change. */
export const latestPeriodAtHead = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .select(['from_number', 'to_number'])
    .select(({ selectFrom }) => [
      selectFrom('members as first')
        .select('first.from_number')
        .where('first.user_id', '=', arg('user_id'))
        .where('first.conversation_id', '=', arg('conversation_id'))
        .orderBy('first.from_number')
        .limit(1)
        .$asScalar()
        .$notNull()
        .as('first_number'),
      selectFrom('counter').select('last').where('id', '=', 1).$asScalar().$notNull().as('head'),
    ])
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .orderBy('from_number', 'desc')
    .limit(1),
)

/** The number of members of a conversation; no row unless the user is a member now. */
export const memberCount = query<{ user_id: number; conversation_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .innerJoin('conversations', 'conversations.id', 'members.conversation_id')
    .select('conversations.member_count')
    .where('members.user_id', '=', arg('user_id'))
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', OPEN),
)

/** The last period that began at or before a number: the only one that can contain the number. */
export const periodAt = query<{ user_id: number; conversation_id: number; number: number }>(marked)(
  (db, arg) =>
    db
      .selectFrom('members')
      .select('to_number')
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      .where('from_number', '<=', arg('number'))
      .orderBy('from_number', 'desc')
      .limit(1),
)

/** Current members of a conversation without those who block `user_id` or whom `user_id` blocks. */
export const unblockedMembers = query<{ conversation_id: number; user_id: number }>()((db, arg) =>
  db
    .selectFrom('members')
    .select('members.user_id')
    .where('members.conversation_id', '=', arg('conversation_id'))
    .where('members.to_number', '=', sql.lit(OPEN))
    .where(({ not, exists, ref }) =>
      not(exists(blockBetweenUsers(db, arg('user_id'), ref('members.user_id')))),
    ),
)

/** A conversation that the user is or was a member of. */
const joinedConversation = (db: Kysely<Tables>, user_id: number) =>
  db
    .selectFrom('conversations')
    .select(['conversations.id', 'conversations.kind', 'conversations.low_id', 'conversations.high_id'])
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('members')
          .select('members.user_id')
          .where('members.user_id', '=', user_id)
          .whereRef('members.conversation_id', '=', 'conversations.id'),
      ),
    )

export const joinedConversationById = query<{ user_id: number; id: number }>()((db, arg) =>
  joinedConversation(db, arg('user_id')).where('conversations.id', '=', arg('id')),
)

export const joinedConversationByPair = query<{ user_id: number; low_id: number; high_id: number }>()(
  (db, arg) =>
    joinedConversation(db, arg('user_id'))
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
  announced_at: number
}>(marked)((db, arg) =>
  db
    .updateTable('members')
    .set({
      delivered_up_to: arg('delivered_up_to'),
      read_up_to: arg('read_up_to'),
      receipt_number: arg('number'),
      receipt_due: arg('due'),
      announced_at: arg('announced_at'),
    })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

/** Members whose marks wait for publication. SQLite uses the partial index only if the 1 is a literal. */
const dueReceipts = (db: Kysely<Tables>) =>
  db.selectFrom('members').select(['user_id', 'conversation_id']).where('receipt_due', '=', sql.lit(1))

/**
 * At most `limit` members whose waiting marks were last published at `until` or before, the longest ago first. After them at most
 * as many whose marks were last published later than `now`: the clock was set back since.
 */
export const overdueReceipts = query<{ until: number; now: number; limit: number }>()((db, arg) =>
  db
    .selectFrom(
      dueReceipts(db)
        .where('announced_at', '<=', arg('until'))
        .orderBy('announced_at')
        .limit(arg('limit'))
        .as('late'),
    )
    .select(['user_id', 'conversation_id'])
    .unionAll(
      db
        .selectFrom(dueReceipts(db).where('announced_at', '>', arg('now')).limit(arg('limit')).as('future'))
        .select(['user_id', 'conversation_id']),
    ),
)

export const endPeriod = query<{
  user_id: number
  conversation_id: number
  from_number: number
  number: number
  title: string
  count: number
}>(moved)((db, arg) =>
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

export const setRole = query<{
  user_id: number
  conversation_id: number
  from_number: number
  role: 'owner' | 'member'
}>(marked)((db, arg) =>
  db
    .updateTable('members')
    .set({ role: arg('role') })
    .where('user_id', '=', arg('user_id'))
    .where('conversation_id', '=', arg('conversation_id'))
    .where('from_number', '=', arg('from_number')),
)

/** A page of a user's periods, and whether each is a current membership in a group. */
export const groupPeriodsAfter = query<PeriodPage>()((db, arg) =>
  db
    .selectFrom(periodsAfter(db, arg).select(['conversation_id', 'from_number', 'to_number']).as('mine'))
    .innerJoin('conversations', 'conversations.id', 'mine.conversation_id')
    .select(['mine.conversation_id', 'mine.from_number'])
    .select(({ and, eb }) =>
      and([eb('mine.to_number', '=', OPEN), eb('conversations.kind', '=', 'group')])
        .$castTo<0 | 1>()
        .as('is_open_group'),
    )
    .orderBy('mine.conversation_id')
    .orderBy('mine.from_number'),
)

/** A page of a user's periods, and whether both this user and another are members of the conversation now. */
export const sharedPeriodsAfter = query<PeriodPage & { other_id: number }>()((db, arg) =>
  db
    .selectFrom(periodsAfter(db, arg).select(['conversation_id', 'from_number', 'to_number']).as('mine'))
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
