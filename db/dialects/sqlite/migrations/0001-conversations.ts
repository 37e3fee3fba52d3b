import type { Database } from 'better-sqlite3'
import { type Kysely, sql } from 'kysely'
import { foldName } from '../../../names.ts'
import { OPEN } from '../../../tables.ts'
import { copyFirstServer, hideFirstServer, parseFirstTime } from './take-over.ts'

/** Defines the SQL functions that this migration uses. */
export const defineFunctions = (db: Database) => {
  db.function('fold_name', { deterministic: true }, (name) => foldName(String(name)))
  db.function('first_time', { deterministic: true }, parseFirstTime)
}

/** The first schema. Takes over the tables of the first server if they exist. */
export const up = async (db: Kysely<never>) => {
  const isTakeOver = await hideFirstServer(db)
  await createTables(db)
  if (isTakeOver) await copyFirstServer(db)
}

const createTables = async (db: Kysely<never>) => {
  const { schema } = db
  await schema
    .createTable('users')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('username', 'text', (c) => c.notNull())
    .addColumn('username_key', 'text', (c) => c.notNull().unique())
    .addColumn('password_hash', 'text')
    .addColumn('token_family', 'text', (c) => c.notNull())
    .addColumn('kept_token', 'text')
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('removed_at', 'integer')
    .modifyEnd(sql`strict`)
    .execute()

  await schema
    .createTable('conversations')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('direct', 'group')`))
    .addColumn('low_id', 'integer', (c) => c.references('users.id'))
    .addColumn('high_id', 'integer', (c) => c.references('users.id'))
    .addColumn('title', 'text')
    .addColumn('member_count', 'integer', (c) => c.notNull())
    .addColumn('changed', 'integer', (c) => c.notNull())
    .addCheckConstraint(
      'direct_or_group',
      sql`case kind when 'direct' then low_id <= high_id and title is null else low_id is null and high_id is null and title is not null end`,
    )
    .modifyEnd(sql`strict`)
    .execute()
  await schema
    .createIndex('conversations_pair')
    .unique()
    .on('conversations')
    .columns(['low_id', 'high_id'])
    .where(sql.ref('low_id'), 'is not', null)
    .execute()

  await schema
    .createTable('members')
    .addColumn('user_id', 'integer', (c) => c.notNull().references('users.id'))
    .addColumn('conversation_id', 'integer', (c) => c.notNull().references('conversations.id'))
    .addColumn('from_number', 'integer', (c) => c.notNull())
    .addColumn('to_number', 'integer', (c) => c.notNull().defaultTo(OPEN))
    .addColumn('role', 'text', (c) => c.notNull().check(sql`role in ('owner', 'member')`))
    .addColumn('delivered_up_to', 'integer', (c) => c.notNull())
    .addColumn('read_up_to', 'integer', (c) => c.notNull())
    .addColumn('receipt_number', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('receipt_due', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('title_at_end', 'text')
    .addColumn('count_at_end', 'integer')
    .addPrimaryKeyConstraint('members_pk', ['user_id', 'conversation_id', 'from_number'])
    .modifyEnd(sql`strict, without rowid`)
    .execute()
  await schema
    .createIndex('members_receipts')
    .on('members')
    .columns(['conversation_id', 'receipt_number'])
    .execute()
  await schema
    .createIndex('members_due')
    .on('members')
    .column('receipt_due')
    .where(sql.ref('receipt_due'), '=', sql.lit(1))
    .execute()

  await schema
    .createTable('messages')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('conversation_id', 'integer', (c) => c.notNull().references('conversations.id'))
    .addColumn('sender_id', 'integer', (c) => c.notNull().references('users.id'))
    .addColumn('content', 'text', (c) => c.notNull())
    .addColumn('timestamp', 'integer', (c) => c.notNull())
    .addColumn('client_id', 'text')
    .addColumn('reply_to', 'integer', (c) => c.references('messages.id'))
    .addColumn('metadata', 'text')
    .addColumn('edited_at', 'integer')
    .addColumn('deleted_at', 'integer')
    .addColumn('changed', 'integer')
    .addColumn('original_hash', 'blob')
    .modifyEnd(sql`strict`)
    .execute()
  // Each of these indexes contains the id, because it is the row's key.
  await schema.createIndex('messages_history').on('messages').column('conversation_id').execute()
  // The client's key comes before the sender: keys that rise with time fill the pages in order.
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
    .addColumn('blocker_id', 'integer', (c) => c.notNull().references('users.id'))
    .addColumn('blocked_id', 'integer', (c) => c.notNull().references('users.id'))
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('number', 'integer', (c) => c.notNull())
    .addColumn('low_delivered', 'integer', (c) => c.notNull())
    .addColumn('low_read', 'integer', (c) => c.notNull())
    .addColumn('high_delivered', 'integer', (c) => c.notNull())
    .addColumn('high_read', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('blocks_pk', ['blocker_id', 'blocked_id'])
    .modifyEnd(sql`strict, without rowid`)
    .execute()

  await schema
    .createTable('revoked_tokens')
    .addColumn('jti', 'text', (c) => c.primaryKey())
    .addColumn('expires_at', 'integer', (c) => c.notNull())
    .modifyEnd(sql`strict, without rowid`)
    .execute()

  await schema
    .createTable('counter')
    .addColumn('id', 'integer', (c) => c.primaryKey().check(sql`id = 1`))
    .addColumn('last', 'integer', (c) => c.notNull())
    .modifyEnd(sql`strict`)
    .execute()
  await sql`insert into counter (id, last) values (1, 0)`.execute(db)

  await schema
    .createTable('epochs')
    .addColumn('number', 'integer', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('first', 'integer', (c) => c.notNull())
    .modifyEnd(sql`strict`)
    .execute()
}
