import { type Kysely, sql } from 'kysely'
import { OPEN } from '../../../tables.ts'

/**
 * The first schema. The tables are those of SQLite, without foreign keys: operations check every id under the writer's lock, and a check of
 * a foreign key writes a lock into the row of the user and of the conversation for each message.
 */
export const up = async (db: Kysely<never>) => {
  await createSharedTables(db)
  await createCommits(db)
}

const createSharedTables = async (db: Kysely<never>) => {
  const { schema } = db
  await schema
    .createTable('users')
    .addColumn('id', 'bigint', (c) => c.primaryKey())
    .addColumn('username', 'text', (c) => c.notNull())
    .addColumn('username_key', sql`text collate "C"`, (c) => c.notNull().unique())
    .addColumn('password_hash', 'text')
    .addColumn('token_family', 'text', (c) => c.notNull())
    .addColumn('kept_token', 'text')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('removed_at', 'bigint')
    .addColumn('leaving', 'smallint', (c) => c.notNull().defaultTo(0))
    .execute()
  await schema
    .createIndex('users_leaving')
    .on('users')
    .column('leaving')
    .where(sql.ref('leaving'), '=', sql.lit(1))
    .execute()
  await schema
    .createIndex('users_present')
    .on('users')
    .column('username_key')
    .where(sql.ref('removed_at'), 'is', null)
    .execute()

  await schema
    .createTable('conversations')
    .addColumn('id', 'bigint', (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('direct', 'group')`))
    .addColumn('low_id', 'bigint')
    .addColumn('high_id', 'bigint')
    .addColumn('title', 'text')
    .addColumn('member_count', 'bigint', (c) => c.notNull())
    .addColumn('changed', 'bigint', (c) => c.notNull())
    .addColumn('creator_id', 'bigint')
    .addColumn('client_id', sql`text collate "C"`)
    .addColumn('request_hash', 'bytea')
    .addCheckConstraint(
      'direct_or_group',
      sql`case kind when 'direct' then low_id <= high_id and title is null else low_id is null and high_id is null and title is not null end`,
    )
    .execute()
  await schema
    .createIndex('conversations_pair')
    .unique()
    .on('conversations')
    .columns(['low_id', 'high_id'])
    .where(sql.ref('low_id'), 'is not', null)
    .execute()
  await schema
    .createIndex('conversations_once')
    .unique()
    .on('conversations')
    .columns(['client_id', 'creator_id'])
    .where(sql.ref('client_id'), 'is not', null)
    .execute()

  await schema
    .createTable('members')
    .addColumn('user_id', 'bigint', (c) => c.notNull())
    .addColumn('conversation_id', 'bigint', (c) => c.notNull())
    .addColumn('from_number', 'bigint', (c) => c.notNull())
    .addColumn('to_number', 'bigint', (c) => c.notNull().defaultTo(OPEN))
    .addColumn('role', 'text', (c) => c.notNull().check(sql`role in ('owner', 'member')`))
    .addColumn('delivered_up_to', 'bigint', (c) => c.notNull())
    .addColumn('read_up_to', 'bigint', (c) => c.notNull())
    .addColumn('receipt_number', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('receipt_due', 'smallint', (c) => c.notNull().defaultTo(0))
    .addColumn('announced_at', 'bigint', (c) => c.notNull().defaultTo(0))
    .addColumn('title_at_end', 'text')
    .addColumn('count_at_end', 'bigint')
    .addPrimaryKeyConstraint('members_pk', ['user_id', 'conversation_id', 'from_number'])
    // Leaves room on a page for the next versions of its rows. An update that changes no indexed column then writes to no index.
    .modifyEnd(sql`with (fillfactor = 80)`)
    .execute()
  await schema
    .createIndex('members_receipts')
    .on('members')
    .columns(['conversation_id', 'receipt_number'])
    .execute()
  await schema
    .createIndex('members_due')
    .on('members')
    .columns(['announced_at', 'user_id', 'conversation_id'])
    .where(sql.ref('receipt_due'), '=', sql.lit(1))
    .execute()
  await schema
    .createIndex('members_open')
    .on('members')
    .columns(['conversation_id', 'from_number', 'user_id'])
    .where(sql.ref('to_number'), '=', sql.lit(OPEN))
    .execute()

  await schema
    .createTable('messages')
    .addColumn('id', 'bigint', (c) => c.primaryKey())
    .addColumn('conversation_id', 'bigint', (c) => c.notNull())
    .addColumn('sender_id', 'bigint', (c) => c.notNull())
    .addColumn('content', 'text', (c) => c.notNull())
    .addColumn('timestamp', 'bigint', (c) => c.notNull())
    .addColumn('client_id', sql`text collate "C"`)
    .addColumn('reply_to', 'bigint')
    .addColumn('metadata', 'text')
    .addColumn('edited_at', 'bigint')
    .addColumn('deleted_at', 'bigint')
    .addColumn('changed', 'bigint')
    .addColumn('original_hash', 'bytea')
    .execute()
  await sql`create index messages_history on messages (conversation_id, id) include (sender_id, deleted_at)`.execute(
    db,
  )
  await schema
    .createIndex('messages_once')
    .unique()
    .on('messages')
    .columns(['client_id', 'sender_id'])
    .where(sql.ref('client_id'), 'is not', null)
    .execute()
  await schema
    .createIndex('messages_changed')
    .on('messages')
    .columns(['conversation_id', 'changed'])
    .where(sql.ref('changed'), 'is not', null)
    .execute()

  await schema
    .createTable('blocks')
    .addColumn('blocker_id', 'bigint', (c) => c.notNull())
    .addColumn('blocked_id', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('number', 'bigint', (c) => c.notNull())
    .addColumn('low_delivered', 'bigint', (c) => c.notNull())
    .addColumn('low_read', 'bigint', (c) => c.notNull())
    .addColumn('high_delivered', 'bigint', (c) => c.notNull())
    .addColumn('high_read', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('blocks_pk', ['blocker_id', 'blocked_id'])
    .execute()
  await schema
    .createIndex('blocks_latest')
    .on('blocks')
    .columns(['blocker_id', 'created_at', 'blocked_id'])
    .execute()

  await schema
    .createTable('revoked_tokens')
    .addColumn('jti', 'text', (c) => c.primaryKey())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute()
  await schema.createIndex('revoked_tokens_end').on('revoked_tokens').column('expires_at').execute()

  await schema
    .createTable('epochs')
    .addColumn('number', 'bigint', (c) => c.primaryKey().generatedAlwaysAsIdentity())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('first', 'bigint', (c) => c.notNull())
    .addColumn('incarnation', 'text', (c) => c.notNull())
    .execute()
}

/** Creates what the nodes share: counters, commits, online users, limits of calls, and the texts of the database. */
const createCommits = async (db: Kysely<never>) => {
  const { schema } = db
  // Rows are only inserted: a row that each commit updates would bloat. The newest row holds the counters.
  await schema
    .createTable('commits')
    .addColumn('last', 'bigint', (c) => c.notNull())
    .addColumn('user_id', 'bigint', (c) => c.notNull())
    .addColumn('conversation_id', 'bigint', (c) => c.notNull())
    .addColumn('node', 'text', (c) => c.notNull())
    .addColumn('seq', 'bigint', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('commits_pk', ['node', 'seq'])
    .execute()
  await schema
    .createIndex('commits_newest')
    .on('commits')
    .columns(['last', 'user_id', 'conversation_id'])
    .execute()
  await sql`
    create view counter as
    select 1 as id, coalesce((select last from commits order by last desc limit 1), 0) as last
  `.execute(db)
  // Unlogged, so a crash empties it. Nodes then read the changes from the other tables.
  await sql`create unlogged table feed (last bigint primary key, first bigint not null, at bigint not null, body text not null)`.execute(
    db,
  )
  // Unlogged too. After a crash the nodes write their online users again, and the limits of logins start afresh.
  await sql`create unlogged table nodes (name text primary key, seen_at bigint not null)`.execute(db)
  await sql`
    create unlogged table presence (
      node text not null, user_id bigint not null, username text not null, online smallint not null, seq bigint not null,
      primary key (node, user_id)
    )`.execute(db)
  await sql`create index presence_news on presence (node, seq)`.execute(db)
  await sql`
    create unlogged table call_limits (key text collate "C" primary key, full_at double precision not null)`.execute(
    db,
  )
  await sql`create index call_limits_full on call_limits (full_at)`.execute(db)
  await schema
    .createTable('settings')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
}
