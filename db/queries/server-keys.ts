import { query } from '../query.ts'
import { scopes } from '../scopes.ts'

/** The name of a key, by the SHA-256 of the key. */
export const serverKeyByHash = query<{ hash: Uint8Array }>()((db, arg) =>
  db.selectFrom('server_keys').select('name').where('hash', '=', arg('hash')),
)

export const serverKeyByName = query<{ name: string }>(({ name }) => [scopes.serverKey(name)])((db, arg) =>
  db.selectFrom('server_keys').select('name').where('name', '=', arg('name')),
)

export const serverKeys = query()((db) =>
  db.selectFrom('server_keys').select(['name', 'created_at']).orderBy('name'),
)

export const insertServerKey = query<{ name: string; hash: Uint8Array; created_at: number }>(({ name }) => [
  scopes.serverKey(name),
])((db, arg) =>
  db
    .insertInto('server_keys')
    .values({ name: arg('name'), hash: arg('hash'), created_at: arg('created_at') }),
)

export const deleteServerKey = query<{ name: string }>(({ name }) => [scopes.serverKey(name)])((db, arg) =>
  db.deleteFrom('server_keys').where('name', '=', arg('name')),
)
