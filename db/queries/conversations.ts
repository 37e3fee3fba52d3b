import type { Kysely } from 'kysely'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'
import { blockBetweenUsers } from './blocks.ts'

/** A conversation, and whether one of the two users of a direct conversation blocks the other. */
const withBlocked = (db: Kysely<Tables>) =>
  db
    .selectFrom('conversations')
    .select(['id', 'kind', 'title', 'key', 'metadata', 'low_id', 'high_id'])
    .select(({ exists, ref }) =>
      exists(blockBetweenUsers(db, ref('low_id'), ref('high_id')))
        .$castTo<0 | 1>()
        .as('blocked'),
    )

export const conversationById = query<{ id: number }>(scopes.known)((db, arg) =>
  withBlocked(db).where('id', '=', arg('id')),
)

export const conversationByPair = query<{ low_id: number; high_id: number }>(scopes.known)((db, arg) =>
  withBlocked(db).where('low_id', '=', arg('low_id')).where('high_id', '=', arg('high_id')),
)

/** What everybody sees of a group. */
export const groupById = query<{ id: number }>()((db, arg) =>
  db
    .selectFrom('conversations')
    .select(['id', 'kind', 'title', 'key', 'metadata', 'member_count', 'low_id', 'high_id'])
    .where('id', '=', arg('id'))
    .where('kind', '=', 'group'),
)

export const insertConversation = query<{
  id: number
  kind: 'direct' | 'group'
  low_id: number | null
  high_id: number | null
  title: string | null
  member_count: number
  number: number
}>(scopes.known)((db, arg) =>
  db.insertInto('conversations').values({
    id: arg('id'),
    kind: arg('kind'),
    low_id: arg('low_id'),
    high_id: arg('high_id'),
    title: arg('title'),
    member_count: arg('member_count'),
    changed: arg('number'),
    created: arg('number'),
  }),
)

/** A group, with the key that the app gave it, or the idempotency key of its request, if there was one. */
export const insertGroup = query<{
  id: number
  title: string
  key: string | null
  metadata: string | null
  member_count: number
  number: number
  creator_id: number | null
  client_id: string | null
  request_hash: Uint8Array | null
}>(({ creator_id, client_id, key }) => [scopes.groupKey(creator_id, client_id), scopes.appKey(key)])(
  (db, arg) =>
    db.insertInto('conversations').values({
      id: arg('id'),
      kind: 'group',
      title: arg('title'),
      member_count: arg('member_count'),
      changed: arg('number'),
      created: arg('number'),
      creator_id: arg('creator_id'),
      client_id: arg('client_id'),
      request_hash: arg('request_hash'),
      key: arg('key'),
      metadata: arg('metadata'),
    }),
)

/** The group to which the app gave a key. */
export const groupByKey = query<{ key: string }>(({ key }) => [scopes.appKey(key)])((db, arg) =>
  db.selectFrom('conversations').select('id').where('key', '=', arg('key')),
)

export const groupByClientId = query<{ client_id: string; creator_id: number }>(
  ({ creator_id, client_id }) => [scopes.groupKey(creator_id, client_id)],
)((db, arg) =>
  db
    .selectFrom('conversations')
    .select(['id', 'request_hash'])
    .where('client_id', '=', arg('client_id'))
    .where('creator_id', '=', arg('creator_id')),
)

export const setGroup = query<{
  id: number
  title: string
  metadata: string | null
  member_count: number
  number: number
}>(scopes.known)((db, arg) =>
  db
    .updateTable('conversations')
    .set({
      title: arg('title'),
      metadata: arg('metadata'),
      member_count: arg('member_count'),
      changed: arg('number'),
    })
    .where('id', '=', arg('id')),
)
