import { sql } from 'kysely'

/** Packs ids into the argument of `listedIds`. */
export const packIds = (ids: readonly number[]): string => JSON.stringify(ids)

/** A list of ids as a table. The text of a prepared query is fixed, so it takes a list as one argument. */
export const listedIds = (packed: string) =>
  sql<{ id: number }>`(select value as id from json_each(${packed}))`.as('listed')

/** A membership period, cut to the numbers that a read covers. `until` is the end of the user's latest period. */
export type ListedPeriod = { conversation_id: number; from_number: number; to_number: number; until: number }

/** Packs periods into the argument of `listedPeriods`. */
export const packPeriods = (periods: readonly ListedPeriod[]): string =>
  JSON.stringify(
    periods.map(({ conversation_id, from_number, to_number, until }) => [
      conversation_id,
      from_number,
      to_number,
      until,
    ]),
  )

/** A list of periods as a table. */
export const listedPeriods = (packed: string) =>
  sql<ListedPeriod>`(
    select value ->> 0 as conversation_id, value ->> 1 as from_number, value ->> 2 as to_number, value ->> 3 as until
    from json_each(${packed})
  )`.as('listed')
