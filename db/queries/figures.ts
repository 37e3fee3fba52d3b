import { query } from '../query.ts'

/** The number of rows of each kind. It reads whole tables: use it for operators, not in the serving process. */
export const figures = query()((db) =>
  db.selectNoFrom((eb) => [
    eb
      .selectFrom('users')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('removed_at', 'is', null)
      .as('users'),
    eb
      .selectFrom('users')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('removed_at', 'is not', null)
      .as('removed_users'),
    eb
      .selectFrom('conversations')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .as('conversations'),
    eb
      .selectFrom('messages')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .as('messages'),
    eb.selectFrom('counter').select('last').as('last_number'),
    eb
      .selectFrom('epochs')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .as('starts'),
  ]),
)
