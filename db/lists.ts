import { sql } from 'kysely'

/**
 * The text of a prepared query is fixed, so a query takes a list as one argument: a JSON object, which `json_each` turns into
 * rows in SQLite and in PostgreSQL alike.
 */
type Packed = string

/** Packs ids into the argument of `listedIds`. */
export const packIds = (ids: readonly number[]): Packed => `{${ids.map((id) => `"${id}":0`).join(',')}}`

/** A list of ids as a table. */
export const listedIds = (packed: Packed) =>
  sql<{ id: number }>`(select cast(key as bigint) as id from json_each(${packed}))`.as('listed')

/** Packs folded names into the argument of `listedKeys`. */
export const packKeys = (keys: Iterable<string>): Packed =>
  `{${[...new Set(keys)].map((key) => `${JSON.stringify(key)}:0`).join(',')}}`

/** A list of folded names as a table. */
export const listedKeys = (packed: Packed) =>
  sql<{ key: string }>`(select key from json_each(${packed}))`.as('listed')

/** A membership period, cut to the numbers that a read covers. `until` is the end of the user's latest period. */
export type ListedPeriod = { conversation_id: number; from_number: number; to_number: number; until: number }

/** Packs periods into the argument of `listedPeriods`. */
export const packPeriods = (periods: readonly ListedPeriod[]): Packed =>
  JSON.stringify(
    Object.fromEntries(
      periods.map(({ conversation_id, from_number, to_number, until }, index) => [
        index,
        [conversation_id, from_number, to_number, until],
      ]),
    ),
  )

/** A list of periods as a table. */
export const listedPeriods = (packed: Packed) =>
  sql<ListedPeriod>`(
    select
      cast(value ->> 0 as bigint) as conversation_id,
      cast(value ->> 1 as bigint) as from_number,
      cast(value ->> 2 as bigint) as to_number,
      cast(value ->> 3 as bigint) as until
    from json_each(${packed})
  )`.as('listed')
