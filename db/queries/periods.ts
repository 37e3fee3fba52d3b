import { type AliasedExpression, type Expression, expressionBuilder, type Kysely } from 'kysely'
import { query } from '../query.ts'
import type { Tables } from '../tables.ts'

const latestEnd = (db: Kysely<Tables>, user_id: number, conversation: Expression<number>) =>
  db
    .selectFrom('members as latest')
    .select('latest.to_number')
    .where('latest.user_id', '=', user_id)
    .where('latest.conversation_id', '=', conversation)
    .orderBy('latest.from_number', 'desc')
    .limit(1)

/** The number at which a user's latest period in a conversation ends; `OPEN` for a member. */
export const untilOf = (db: Kysely<Tables>, user_id: number, conversation: Expression<number>) =>
  latestEnd(db, user_id, conversation).$asScalar().$notNull()

/** Whether the user was a member of the conversation at this number. Reads one row, however many periods there are. */
export const wasInAt = (
  db: Kysely<Tables>,
  user_id: number,
  conversation: Expression<number>,
  number: Expression<number>,
) =>
  expressionBuilder()(
    latestEnd(db, user_id, conversation).where('latest.from_number', '<=', number).$asScalar(),
    '>=',
    number,
  )

/** The next `limit` periods of a user in a conversation, from the number `start` on or, downward, up to it. */
type Walk = { user_id: number; conversation_id: number; start: number; limit: number }

type Mine = {
  conversation_id: number
  from_number: number
  to_number: number
  from_id: number
  to_id: number
}

/** Adds whether a message has an id between `from_id` and `to_id`, both included. */
const withMessages = (db: Kysely<Tables>, mine: AliasedExpression<Mine, 'mine'>, user_id: number) =>
  db
    .selectFrom(mine)
    .select(['mine.from_number', 'mine.to_number', 'mine.from_id', 'mine.to_id'])
    .select(({ exists, selectFrom }) =>
      exists(
        selectFrom('messages')
          .select('messages.id')
          .whereRef('messages.conversation_id', '=', 'mine.conversation_id')
          .whereRef('messages.id', '>=', 'mine.from_id')
          .whereRef('messages.id', '<=', 'mine.to_id'),
      )
        .$castTo<0 | 1>()
        .as('has_messages'),
    )
    .select((eb) => untilOf(db, user_id, eb.ref('mine.conversation_id')).as('until'))

/** The latest first. Each is cut to the ids up to `start`. */
export const periodsDown = query<Walk>()((db, arg) =>
  withMessages(
    db,
    db
      .selectFrom('members')
      .select(['conversation_id', 'from_number', 'to_number', 'from_number as from_id'])
      .select((eb) =>
        eb
          .case()
          .when('to_number', '<', arg('start'))
          .then(eb.ref('to_number'))
          .else(arg('start'))
          .end()
          .as('to_id'),
      )
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      .where('from_number', '<=', arg('start'))
      .orderBy('from_number', 'desc')
      .limit(arg('limit'))
      .as('mine'),
    arg('user_id'),
  ).orderBy('mine.from_number', 'desc'),
)

/** The earliest first. Each is cut to the ids from `start` on. */
export const periodsUp = query<Walk>()((db, arg) =>
  withMessages(
    db,
    db
      .selectFrom('members')
      .select(['conversation_id', 'from_number', 'to_number', 'to_number as to_id'])
      .select((eb) =>
        eb
          .case()
          .when('from_number', '>', arg('start'))
          .then(eb.ref('from_number'))
          .else(arg('start'))
          .end()
          .as('from_id'),
      )
      .where('user_id', '=', arg('user_id'))
      .where('conversation_id', '=', arg('conversation_id'))
      // If a period contains `start`, it is the last one that begins at or before `start`.
      .where('from_number', '>=', ({ fn, selectFrom, val }) =>
        fn.coalesce(
          selectFrom('members as around')
            .select((eb) => eb.fn.max('around.from_number').as('from_number'))
            .where('around.user_id', '=', arg('user_id'))
            .where('around.conversation_id', '=', arg('conversation_id'))
            .where('around.from_number', '<=', arg('start')),
          val(0),
        ),
      )
      .where('to_number', '>=', arg('start'))
      .orderBy('from_number')
      .limit(arg('limit'))
      .as('mine'),
    arg('user_id'),
  ).orderBy('mine.from_number'),
)
