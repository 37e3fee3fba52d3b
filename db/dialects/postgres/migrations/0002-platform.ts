import { type Kysely, sql } from 'kysely'
import { OPEN } from '../../../tables.ts'

/** Stores what an embedding app needs: owners and profiles of accounts, keys of groups, server keys, reports and webhooks. */
export const up = async (db: Kysely<never>) => {
  await addProfiles(db)
  await addGroupKeys(db)
  await indexChanges(db)
  await createServerKeys(db)
  await createReports(db)
  await createWebhooks(db)
}

/** Search reads display names as a range of an index, like usernames. */
const addProfiles = async ({ schema }: Kysely<never>) => {
  const users = schema.alterTable('users')
  await users.addColumn('owner', 'text').execute()
  await users.addColumn('display_name', 'text').execute()
  await users.addColumn('display_key', sql`text collate "C"`).execute()
  await users.addColumn('avatar_url', 'text').execute()
  await users.addColumn('metadata', 'text').execute()
  await users.addColumn('tokens_from', 'bigint', (c) => c.notNull().defaultTo(0)).execute()
  await users.addColumn('suspended_until', 'bigint').execute()
  await users.addColumn('suspended_reason', 'text').execute()
  await users.addColumn('created_number', 'bigint', (c) => c.notNull().defaultTo(0)).execute()
  await users.addColumn('changed', 'bigint', (c) => c.notNull().defaultTo(0)).execute()
  await schema
    .createIndex('users_display')
    .on('users')
    .column('display_key')
    .where(sql.ref('display_key'), 'is not', null)
    .execute()
}

const addGroupKeys = async ({ schema }: Kysely<never>) => {
  const conversations = schema.alterTable('conversations')
  await conversations.addColumn('key', sql`text collate "C"`).execute()
  await conversations.addColumn('metadata', 'text').execute()
  await conversations.addColumn('created', 'bigint', (c) => c.notNull().defaultTo(0)).execute()
  await schema
    .createIndex('conversations_key')
    .unique()
    .on('conversations')
    .column('key')
    .where(sql.ref('key'), 'is not', null)
    .execute()
}

/**
 * Lets the event feed read the changes of all users as ranges of an index. Most users and conversations never change after their
 * creation, so the indexes of changes leave them out.
 */
const indexChanges = async ({ schema }: Kysely<never>) => {
  await schema.createIndex('users_created').on('users').column('created_number').execute()
  await schema
    .createIndex('users_changed')
    .on('users')
    .column('changed')
    .where(sql.ref('changed'), '<>', sql.ref('created_number'))
    .execute()
  await schema.createIndex('conversations_created').on('conversations').column('created').execute()
  await schema
    .createIndex('conversations_changed')
    .on('conversations')
    .column('changed')
    .where(sql.ref('changed'), '<>', sql.ref('created'))
    .execute()
  await schema.createIndex('members_joined').on('members').column('from_number').execute()
  await schema
    .createIndex('members_left')
    .on('members')
    .column('to_number')
    .where(sql.ref('to_number'), '<', sql.lit(OPEN))
    .execute()
  await schema
    .createIndex('members_receipt')
    .on('members')
    .column('receipt_number')
    .where(sql.ref('receipt_number'), '>', sql.lit(0))
    .execute()
  await schema
    .createIndex('messages_change')
    .on('messages')
    .column('changed')
    .where(sql.ref('changed'), 'is not', null)
    .execute()
}

const createServerKeys = async ({ schema }: Kysely<never>) => {
  await schema
    .createTable('server_keys')
    .addColumn('name', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('hash', 'bytea', (c) => c.notNull().unique())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute()
}

const createReports = async ({ schema }: Kysely<never>) => {
  await schema
    .createTable('reports')
    .addColumn('id', 'bigint', (c) => c.primaryKey())
    .addColumn('message_id', 'bigint', (c) => c.notNull())
    .addColumn('reporter_id', 'bigint', (c) => c.notNull())
    .addColumn('reason', 'text', (c) => c.notNull())
    .addColumn('comment', 'text')
    .addColumn('content', 'text', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('note', 'text')
    .execute()
  await schema
    .createIndex('reports_once')
    .unique()
    .on('reports')
    .columns(['message_id', 'reporter_id'])
    .execute()
  await schema.createIndex('reports_status').on('reports').columns(['status', 'id']).execute()
}

const createWebhooks = async ({ schema }: Kysely<never>) => {
  await schema
    .createTable('webhooks')
    .addColumn('name', sql`text collate "C"`, (c) => c.primaryKey())
    .addColumn('url', 'text', (c) => c.notNull())
    .addColumn('types', 'text')
    .addColumn('description', 'text')
    .addColumn('push_after', 'bigint')
    .addColumn('secret', 'text', (c) => c.notNull())
    .addColumn('previous_secret', 'text')
    .addColumn('previous_until', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('version', 'bigint', (c) => c.notNull())
    .addColumn('cursor', 'text', (c) => c.notNull())
    .addColumn('position', 'bigint', (c) => c.notNull())
    .addColumn('scanned', 'bigint', (c) => c.notNull())
    .addColumn('push_scanned', 'bigint', (c) => c.notNull())
    .addColumn('disabled', 'smallint', (c) => c.notNull().defaultTo(0))
    .addColumn('batch_id', 'text')
    .addColumn('batch_end', 'bigint')
    .addColumn('batch_cursor', 'text')
    .addColumn('batch', 'text')
    .addColumn('batch_at', 'bigint')
    .addColumn('attempts', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('next_at', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('last_error', 'text')
    .addColumn('last_error_at', 'bigint')
    .addColumn('delivered_at', 'bigint')
    .addColumn('lease', 'text')
    .addColumn('lease_until', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema
    .createTable('pushes')
    .addColumn('webhook', sql`text collate "C"`, (c) => c.notNull())
    .addColumn('user_id', 'bigint', (c) => c.notNull())
    .addColumn('conversation_id', 'bigint', (c) => c.notNull())
    .addColumn('read_up_to', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('pushes_pk', ['webhook', 'user_id', 'conversation_id'])
    .execute()
}
