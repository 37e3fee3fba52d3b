import { sql } from 'kysely'
import { query } from '../query.ts'

/** The last number: every change up to it is committed. */
export const head = query()((db) => db.selectFrom('counter').select('last').where('id', '=', 1))

/** The last number and the highest ids that were given. Rows of users and conversations are never deleted. */
export const counters = query()((db) =>
  db
    .selectFrom('counter')
    .select('last')
    .select(({ fn, selectFrom, lit }) => [
      selectFrom('users')
        .select((eb) => eb.fn.coalesce(fn.max('id'), lit(0)).as('id'))
        .$asScalar()
        .$notNull()
        .as('user_id'),
      selectFrom('conversations')
        .select((eb) => eb.fn.coalesce(fn.max('id'), lit(0)).as('id'))
        .$asScalar()
        .$notNull()
        .as('conversation_id'),
    ])
    .where('id', '=', 1),
)

export const setHead = query<{ last: number }>()((db, arg) =>
  db
    .updateTable('counter')
    .set({ last: arg('last') })
    .where('id', '=', 1),
)

/** The last number and the name of the newest epoch, both at one moment. */
export const position = query()((db) =>
  db
    .selectFrom('counter')
    .select('last')
    .select(({ selectFrom }) =>
      selectFrom('epochs')
        .select('name')
        .orderBy('number', 'desc')
        .limit(sql.lit(1))
        .$asScalar()
        .$notNull()
        .as('epoch'),
    )
    .where('id', '=', 1),
)

/** In the order of the starts. */
export const epochs = query()((db) => db.selectFrom('epochs').select(['name', 'first']).orderBy('number'))

export const insertEpoch = query<{ name: string; first: number }>()((db, arg) =>
  db.insertInto('epochs').values({ name: arg('name'), first: arg('first') }),
)
