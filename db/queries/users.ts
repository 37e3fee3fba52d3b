import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import { listedIds, listedKeys } from '../lists.ts'
import type { Owner } from '../owners.ts'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'

/** The newest token era. SQLite calls it a scan without the condition on the number. */
const newestEra = ({ fn, selectFrom }: ExpressionBuilder<Tables, keyof Tables>) => {
  const newest = <K extends 'name' | 'began'>(column: K) =>
    selectFrom('token_eras')
      .select(column)
      .where('number', '>', sql.lit(0))
      .orderBy('number', 'desc')
      .limit(sql.lit(1))
      .$asScalar()
  return [
    fn.coalesce(newest('name'), sql.lit('')).as('token_era'),
    fn.coalesce(newest('began'), sql.lit(0)).as('era_began'),
  ] as const
}

const columns = [
  'id',
  'username',
  'username_key',
  'password_hash',
  'token_family',
  'kept_token',
  'removed_at',
  'owner',
  'display_name',
  'avatar_url',
  'metadata',
  'tokens_from',
  'profile_from',
  'suspended_until',
  'suspended_reason',
] as const

export const userById = query<{ id: number }>(scopes.known)((db, arg) =>
  db.selectFrom('users').select(columns).select(newestEra).where('id', '=', arg('id')),
)

/** The user of a token, and whether the token was revoked. */
export const tokenHolder = query<{ id: number; jti: string }>()((db, arg) =>
  db
    .selectFrom('users')
    .select(columns)
    .select(newestEra)
    .select(({ exists, selectFrom }) =>
      exists(selectFrom('revoked_tokens').select('jti').where('jti', '=', arg('jti'))).as('is_revoked'),
    )
    .where('id', '=', arg('id')),
)

export const userByKey = query<{ key: string }>(scopes.known)((db, arg) =>
  db.selectFrom('users').select(columns).select(newestEra).where('username_key', '=', arg('key')),
)

/** What replies show of a user. */
export const shownColumns = [
  'users.username',
  'users.display_name',
  'users.avatar_url',
  'users.metadata',
] as const

/** These users, except removed ones, by folded name. */
export const usersByKeys = query<{ keys: string }>()((db, arg) =>
  db
    .selectFrom(listedKeys(arg('keys')))
    .crossJoin('users')
    .select(['users.id', ...shownColumns])
    .whereRef('users.username_key', '=', 'listed.key')
    .where('users.removed_at', 'is', null)
    .orderBy('users.username_key'),
)

type KeyRange = { from: string; to: string; limit: number }

/** Selects users, except removed ones, whose folded username or display name lies in [from, to): a range of an index. */
const keysIn = (
  db: Kysely<Tables>,
  column: 'username_key' | 'display_key',
  arg: <K extends keyof KeyRange>(name: K) => KeyRange[K],
) =>
  db
    .selectFrom('users')
    .select(['id', `${column} as key`])
    .where(column, '>=', arg('from'))
    .where(column, '<', arg('to'))
    .where('removed_at', 'is', null)
    .orderBy(column)
    .limit(arg('limit'))

/** The first users by folded username or display name, each of them once, by the name that is first. */
export const usersByPrefix = query<KeyRange>()((db, arg) =>
  db
    .selectFrom(
      db
        .selectFrom(
          db
            .selectFrom(keysIn(db, 'username_key', arg).as('by_name'))
            .select(['id', 'key'])
            .unionAll(db.selectFrom(keysIn(db, 'display_key', arg).as('by_display')).select(['id', 'key']))
            .as('matching'),
        )
        .select(({ fn }) => ['id', fn.min('key').as('key')])
        .groupBy('id')
        .orderBy('key')
        .limit(arg('limit'))
        .as('found'),
    )
    .crossJoin('users')
    .select(['users.id', ...shownColumns])
    .whereRef('users.id', '=', 'found.id')
    .orderBy('found.key'),
)

export const insertUser = query<{
  id: number
  username: string
  username_key: string
  password_hash: string | null
  token_family: string
  owner: Owner
  display_name: string | null
  display_key: string | null
  avatar_url: string | null
  metadata: string | null
  profile_from: number
  now: number
  number: number
}>(scopes.known)((db, arg) =>
  db.insertInto('users').values({
    id: arg('id'),
    username: arg('username'),
    username_key: arg('username_key'),
    password_hash: arg('password_hash'),
    token_family: arg('token_family'),
    kept_token: null,
    created_at: arg('now'),
    removed_at: null,
    owner: arg('owner'),
    display_name: arg('display_name'),
    display_key: arg('display_key'),
    avatar_url: arg('avatar_url'),
    metadata: arg('metadata'),
    profile_from: arg('profile_from'),
    created_number: arg('number'),
    changed: arg('number'),
  }),
)

export const setProfile = query<{
  id: number
  display_name: string | null
  display_key: string | null
  avatar_url: string | null
  metadata: string | null
  profile_from: number
  number: number
}>(scopes.known)((db, arg) =>
  db
    .updateTable('users')
    .set({
      display_name: arg('display_name'),
      display_key: arg('display_key'),
      avatar_url: arg('avatar_url'),
      metadata: arg('metadata'),
      profile_from: arg('profile_from'),
      changed: arg('number'),
    })
    .where('id', '=', arg('id')),
)

export const setCredentials = query<{
  id: number
  password_hash: string | null
  token_family: string
  kept_token: string | null
  tokens_from: number
}>(scopes.known)((db, arg) =>
  db
    .updateTable('users')
    .set({
      password_hash: arg('password_hash'),
      token_family: arg('token_family'),
      kept_token: arg('kept_token'),
      tokens_from: arg('tokens_from'),
    })
    .where('id', '=', arg('id')),
)

const suspensions = () => [scopes.suspensions()]

/** Those of these users who are or were suspended. */
export const suspensionsOf = query<{ ids: string }>(suspensions)((db, arg) =>
  db
    .selectFrom(listedIds(arg('ids')))
    .crossJoin('users')
    .select(['users.id', 'users.suspended_until', 'users.suspended_reason'])
    .whereRef('users.id', '=', 'listed.id')
    .where('users.suspended_until', 'is not', null),
)

export const setSuspension = query<{
  id: number
  suspended_until: number | null
  suspended_reason: string | null
}>(suspensions)((db, arg) =>
  db
    .updateTable('users')
    .set({ suspended_until: arg('suspended_until'), suspended_reason: arg('suspended_reason') })
    .where('id', '=', arg('id')),
)

export const tokenEra = query(scopes.known)((db) =>
  db.selectFrom('counter').select(newestEra).where('id', '=', 1),
)

export const insertTokenEra = query<{ number: number; name: string; began: number }>()((db, arg) =>
  db.insertInto('token_eras').values({ number: arg('number'), name: arg('name'), began: arg('began') }),
)

/** For a database that no server has open: it writes every account. */
export const setEveryFamily = query<{ family: string; tokens_from: number }>()((db, arg) =>
  db
    .updateTable('users')
    .set({ token_family: arg('family'), kept_token: null, tokens_from: arg('tokens_from') }),
)

/** Marks an account as removed and clears its profile. */
export const removeUser = query<{ id: number; now: number; number: number }>()((db, arg) =>
  db
    .updateTable('users')
    .set({
      removed_at: arg('now'),
      leaving: 1,
      display_name: null,
      display_key: null,
      avatar_url: null,
      metadata: null,
      changed: arg('number'),
    })
    .where('id', '=', arg('id')),
)

/** Removed accounts that are still members of groups. SQLite uses the partial index only if the 1 is a literal. */
export const leavingUsers = query()((db) =>
  db.selectFrom('users').select('id').where('leaving', '=', sql.lit(1)),
)

export const setLeft = query<{ id: number }>()((db, arg) =>
  db.updateTable('users').set({ leaving: 0 }).where('id', '=', arg('id')),
)

/** Accounts by folded name, removed ones included. */
export const accounts = query<{ from: string; to: string; limit: number }>()((db, arg) =>
  db
    .selectFrom('users')
    .select(['id', 'username', 'password_hash', 'created_at', 'removed_at'])
    .select(['suspended_until', 'suspended_reason'])
    .where('username_key', '>=', arg('from'))
    .where('username_key', '<', arg('to'))
    .orderBy('username_key')
    .limit(arg('limit')),
)

export const revokeToken = query<{ jti: string; expires_at: number }>()((db, arg) =>
  db
    .insertInto('revoked_tokens')
    .values({ jti: arg('jti'), expires_at: arg('expires_at') })
    .onConflict((conflict) => conflict.doNothing()),
)

/** Deletes the revocations of tokens that expired before a time: at most `limit`, the oldest first. */
export const deleteRevokedTokens = query<{ before: number; limit: number }>()((db, arg) =>
  db
    .deleteFrom('revoked_tokens')
    .where('jti', 'in', ({ selectFrom }) =>
      selectFrom('revoked_tokens')
        .select('jti')
        .where('expires_at', '<', arg('before'))
        .orderBy('expires_at')
        .limit(arg('limit')),
    ),
)
