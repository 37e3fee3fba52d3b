import type { Database } from 'better-sqlite3'
import { type Kysely, sql } from 'kysely'
import { StorageError } from '../../../errors.ts'

/**
 * The first server's file: `users(id, username)` and `messages(id, sender_id, receiver_id, content, timestamp)`.
 * The check runs before any write, WAL mode included: a file that can't be taken over stays unchanged.
 */
const columns = {
  users: ['id', 'username'],
  messages: ['id', 'sender_id', 'receiver_id', 'content', 'timestamp'],
}

/** @throws StorageError `unusable` with the ids of rows that can't be kept, or if the file belongs to another program */
export const checkFirstServer = (db: Database) => {
  const tables = db
    .prepare("select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\'")
    .pluck()
    .all() as string[]
  if (tables.includes('epochs') || isMigrated(db, tables)) return
  // A failed start may have left the empty tables of the migrator.
  const theirs = tables.filter((name) => !name.startsWith('kysely_migration'))
  if (theirs.length === 0) return
  for (const [table, wanted] of Object.entries(columns)) {
    const found = db.prepare('select name from pragma_table_info(?)').pluck().all(table) as string[]
    if (!wanted.every((column) => found.includes(column))) {
      throw new StorageError(
        'unusable',
        `The file is a database of another program: it has the tables ${theirs.join(', ')}, and no ${table}(${wanted.join(', ')}).`,
      )
    }
  }
  for (const [sentence, query] of obstacles) {
    const rows = db.prepare(query).pluck().all() as (string | number)[]
    if (rows.length > 0) throw new StorageError('unusable', `${takeOverRefused} ${sentence} ${list(rows)}.`)
  }
}

const isMigrated = (db: Database, tables: string[]) =>
  tables.includes('kysely_migration') && db.prepare('select 1 from kysely_migration').get() !== undefined

const takeOverRefused = "The database of the first server can't be taken over, and nothing in it was changed:"

const obstacles: [string, string][] = [
  [
    'names that differ only in case:',
    `select group_concat(username, ' and ') from users group by fold_name(username) having count(*) > 1 order by min(id)`,
  ],
  [
    'ids that are not whole numbers from 1 to 2^53 - 1, in users or messages:',
    `select coalesce(id, 'null') from (select id from users union all select id from messages)
     where typeof(id) <> 'integer' or id not between 1 and ${Number.MAX_SAFE_INTEGER}`,
  ],
  ['there is no name in the users', 'select id from users where username is null order by id'],
  ['there is no content in the messages', 'select id from messages where content is null order by id'],
  [
    'a time is missing or not readable in the messages',
    'select id from messages where first_time(timestamp) is null order by id',
  ],
  [
    'a sender or receiver does not exist in the messages',
    `select id from messages
     where sender_id is null or sender_id not in (select id from users)
       or receiver_id is null or receiver_id not in (select id from users)
     order by id`,
  ],
]

const list = (rows: (string | number)[]) =>
  rows.slice(0, 10).join(', ') + (rows.length > 10 ? ` and ${rows.length - 10} more` : '')

/** @returns milliseconds since 1970 of `YYYY-MM-DD HH:MM:SS` in UTC or of an RFC 3339 time; null for anything else */
export const parseFirstTime = (value: unknown): number | null => {
  const match =
    typeof value === 'string' &&
    /^(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.(\d{1,9}))?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?$/.exec(
      value,
    )
  if (!match) return null
  const [, day, time, fraction = '', offset = 'Z'] = match
  const midnight = Date.parse(`${day}T00:00:00Z`)
  // Date.parse accepts 31 February and returns a day in March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return null
  return Date.parse(`${day}T${time}.${fraction.slice(0, 3).padEnd(3, '0')}${offset.toUpperCase()}`)
}

/** Renames the first server's tables. @returns whether there were any */
export const hideFirstServer = async (db: Kysely<never>) => {
  const { rows } = await sql`select 1 from sqlite_schema where type = 'table' and name = 'users'`.execute(db)
  if (rows.length === 0) return false
  await sql`alter table users rename to first_users`.execute(db)
  await sql`alter table messages rename to first_messages`.execute(db)
  return true
}

/** Copies the renamed tables: the same ids, one direct conversation for each pair, marks at its newest message. */
export const copyFirstServer = async (db: Kysely<never>) => {
  await sql`
    insert into users (id, username, username_key, token_family, created_at)
    select id, cast(username as text), fold_name(username), lower(hex(randomblob(8))),
      coalesce((select min(first_time(timestamp)) from first_messages where sender_id = first_users.id), 0)
    from first_users`.execute(db)
  await sql`
    insert into conversations (kind, low_id, high_id, member_count, changed)
    select 'direct', low, high, iif(low = high, 1, 2), 0
    from (select min(sender_id, receiver_id) as low, max(sender_id, receiver_id) as high, min(id) as first
          from first_messages group by low, high)
    order by first`.execute(db)
  await sql`
    insert into messages (id, conversation_id, sender_id, content, timestamp)
    select m.id, c.id, m.sender_id, cast(m.content as text), first_time(m.timestamp)
    from first_messages m
    join conversations c on c.low_id = min(m.sender_id, m.receiver_id) and c.high_id = max(m.sender_id, m.receiver_id)
    order by m.id`.execute(db)
  await sql`
    insert into members (user_id, conversation_id, from_number, role, delivered_up_to, read_up_to)
    select u.id, c.id, 0, 'member', newest, newest
    from (select id, low_id, high_id, (select max(id) from messages where conversation_id = conversations.id) as newest
          from conversations) c
    join users u on u.id in (c.low_id, c.high_id)`.execute(db)
  await sql`update counter set last = coalesce((select max(id) from messages), 0)`.execute(db)
  // The first server may have deleted messages with higher ids.
  const { rows } = await sql`select 1 from sqlite_schema where name = 'sqlite_sequence'`.execute(db)
  if (rows.length > 0) {
    await sql`
      update counter set last = max(
        last, coalesce((select seq from sqlite_sequence where name = 'first_messages'), 0))`.execute(db)
  }
  await sql`drop table first_messages`.execute(db)
  await sql`drop table first_users`.execute(db)
}
