import { sql } from 'kysely'

/** Packs ids into the one argument that `listedIds` takes. */
export const packIds = (ids: readonly number[]): string => JSON.stringify(ids)

/** The ids of an argument as a table. The text of a query is fixed, so it can't name a varying number of values. */
export const listedIds = (packed: string) =>
  sql<{ id: number }>`(select value as id from json_each(${packed}))`.as('listed')

/** A membership period, cut to the numbers that a read covers. `until` is the end of the user's latest one. */
export type ListedPeriod = { conversation_id: number; from_number: number; to_number: number; until: number }

/** Packs periods into the one argument that `listedPeriods` takes. */
export const packPeriods = (periods: readonly ListedPeriod[]): string =>
  JSON.stringify(
    periods.map(({ conversation_id, from_number, to_number, until }) => [
      conversation_id,
      from_number,
      to_number,
      until,
    ]),
  )

/** The periods of an argument as a table. */
export const listedPeriods = (packed: string) =>
  sql<ListedPeriod>`(
    select value ->> 0 as conversation_id, value ->> 1 as from_number, value ->> 2 as to_number, value ->> 3 as until
    from json_each(${packed})
  )`.as('listed')
