import type { Kysely, Selectable } from 'kysely'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'

const deliveryColumns = [
  'cursor',
  'position',
  'scanned',
  'push_scanned',
  'version',
  'disabled',
  'batch_id',
  'batch_end',
  'batch_cursor',
  'batch_at',
  'attempts',
  'next_at',
  'last_error',
  'last_error_at',
  'delivered_at',
  'lease',
  'lease_until',
] as const

/** All columns but the bytes of the batch in flight, which may be 1 MiB. */
const columns = [
  'name',
  'url',
  'types',
  'description',
  'push_after',
  'secret',
  'previous_secret',
  'previous_until',
  'created_at',
  ...deliveryColumns,
] as const

type Name = { name: string }

const named = ({ name }: Name) => [scopes.webhook(name)]
const listed = ({ name }: Name) => [scopes.webhook(name), scopes.webhooks()]

export const webhookByName = query<Name>(named)((db, arg) =>
  db.selectFrom('webhooks').select(columns).where('name', '=', arg('name')),
)

/** The bytes of the batch in flight. */
export const batchOf = query<Name>(named)((db, arg) =>
  db.selectFrom('webhooks').select(['batch_id', 'batch']).where('name', '=', arg('name')),
)

/** Every webhook, and the time of the oldest message that it did not get. */
export const webhooks = query()((db) => withOldest(db).orderBy('name'))

/** The same of one webhook. */
export const webhookState = query<Name>()((db, arg) => withOldest(db).where('name', '=', arg('name')))

const withOldest = (db: Kysely<Tables>) =>
  db
    .selectFrom('webhooks')
    .select(columns)
    .select(({ selectFrom, eb, ref }) =>
      selectFrom('messages')
        .select('timestamp')
        .where(
          'messages.id',
          '>',
          eb.case().when('batch_end', '>', ref('position')).then(ref('position')).else(ref('scanned')).end(),
        )
        .orderBy('messages.id')
        .limit(1)
        .as('oldest_at'),
    )

export const webhookNames = query<Name>(() => [scopes.webhooks()])((db) =>
  db.selectFrom('webhooks').select('name'),
)

export const insertWebhook = query<
  Name & {
    url: string
    types: string | null
    description: string | null
    push_after: number | null
    secret: string
    now: number
    cursor: string
    position: number
    push_scanned: number
  }
>(listed)((db, arg) =>
  db.insertInto('webhooks').values({
    name: arg('name'),
    url: arg('url'),
    types: arg('types'),
    description: arg('description'),
    push_after: arg('push_after'),
    secret: arg('secret'),
    created_at: arg('now'),
    // A webhook that is created again under a name must not repeat the versions of the deleted one.
    version: arg('now'),
    cursor: arg('cursor'),
    position: arg('position'),
    scanned: arg('position'),
    push_scanned: arg('push_scanned'),
  } as never),
)

/** Changes what the app configures. Delivery starts again at once. */
export const setWebhook = query<
  Name & {
    url: string
    types: string | null
    description: string | null
    push_after: number | null
    push_scanned: number
    version: number
  }
>(named)((db, arg) =>
  db
    .updateTable('webhooks')
    .set({
      url: arg('url'),
      types: arg('types'),
      description: arg('description'),
      push_after: arg('push_after'),
      push_scanned: arg('push_scanned'),
      version: arg('version'),
      disabled: 0,
      next_at: 0,
    })
    .where('name', '=', arg('name')),
)

export const setSecrets = query<Name & { secret: string; previous: string; until: number }>(named)(
  (db, arg) =>
    db
      .updateTable('webhooks')
      .set({ secret: arg('secret'), previous_secret: arg('previous'), previous_until: arg('until') })
      .where('name', '=', arg('name')),
)

export const deleteWebhook = query<Name>(listed)((db, arg) =>
  db.deleteFrom('webhooks').where('name', '=', arg('name')),
)

export const deletePushes = query<Name>(scopes.known)((db, arg) =>
  db.deleteFrom('pushes').where('webhook', '=', arg('name')),
)

export const insertPush = query<{
  webhook: string
  user_id: number
  conversation_id: number
  read_up_to: number
}>(scopes.known)((db, arg) =>
  db
    .insertInto('pushes')
    .values({
      webhook: arg('webhook'),
      user_id: arg('user_id'),
      conversation_id: arg('conversation_id'),
      read_up_to: arg('read_up_to'),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['webhook', 'user_id', 'conversation_id'])
        .doUpdateSet(({ ref }) => ({ read_up_to: ref('excluded.read_up_to') })),
    ),
)

/** The state of delivery, without the bytes of the batch. */
export type Delivery = Pick<Selectable<Tables['webhooks']>, (typeof deliveryColumns)[number]>

const setDeliveryOf = (
  db: Kysely<Tables>,
  arg: <K extends keyof Delivery | 'name'>(name: K) => (Delivery & Name)[K],
) =>
  db
    .updateTable('webhooks')
    .set(Object.fromEntries(deliveryColumns.map((column) => [column, arg(column)])))
    .where('name', '=', arg('name'))

export const setDelivery = query<Name & Delivery>(named)((db, arg) => setDeliveryOf(db, arg))

/** Also sets the bytes of the batch. */
export const setDeliveryAndBatch = query<Name & Delivery & { batch: string | null }>(named)((db, arg) =>
  setDeliveryOf(db, arg).set({ batch: arg('batch') }),
)
