import Sqlite from 'better-sqlite3'
import { openDatabase } from '../../../db/open.ts'

/** Writes the same rows as the operations, thousands of times faster. */
export type Fill = {
  /** An epoch of the database. The cursor `<epoch>.0` precedes every event. */
  epoch: string
  /** @returns the id of a new user. */
  user(name: string): number
  /** @returns the id of a new group; the first is its owner. */
  group(members: readonly number[]): number
  /** @returns the id of a new direct conversation. */
  direct(one: number, other: number): number
  /** @returns the id of a new message. */
  message(conversation: number, sender: number, content: string): number
  /** Adds a membership period to a group, which ends after one message of `sender`. */
  period(conversation: number, member: number, sender: number): void
  block(blocker: number, blocked: number): void
}

/**
 * Creates the database `path` and fills it in one transaction.
 * @returns what `body` returns
 */
export const fillDatabase = async (path: string, body: (fill: Fill) => unknown): Promise<unknown> => {
  const created = await openDatabase(`sqlite:${path}`, { maxQueue: 1 })
  const epoch = created.epoch()
  await created.close()
  const db = new Sqlite(path)
  // Without fsync, because a power failure only costs this run.
  db.pragma('synchronous = off')
  db.exec('begin')
  let last = db.prepare('select last from counter').pluck().get() as number
  const now = Date.now()
  const insert = (table: string, columns: string) =>
    db.prepare(`insert into ${table} (${columns}) values (${columns.replace(/\w+/g, '?')})`)
  const users = insert('users', 'username, username_key, token_family, created_at')
  const conversations = insert('conversations', 'kind, low_id, high_id, title, member_count, changed')
  const members = insert(
    'members',
    'user_id, conversation_id, from_number, role, delivered_up_to, read_up_to',
  )
  const periods = insert(
    'members',
    'user_id, conversation_id, from_number, to_number, role, delivered_up_to, read_up_to, title_at_end, count_at_end',
  )
  const messages = insert('messages', 'id, conversation_id, sender_id, content, timestamp')
  const blocks = insert(
    'blocks',
    'blocker_id, blocked_id, created_at, number, low_delivered, low_read, high_delivered, high_read',
  )
  const fill: Fill = {
    epoch,
    user: (name) => Number(users.run(name, name, `family-${name}`, now).lastInsertRowid),
    group(ids) {
      last += 1
      const id = Number(conversations.run('group', null, null, 'group', ids.length, last).lastInsertRowid)
      for (const [index, user] of ids.entries())
        members.run(user, id, last, index === 0 ? 'owner' : 'member', 0, 0)
      return id
    },
    direct(one, other) {
      last += 1
      const pair = [Math.min(one, other), Math.max(one, other)]
      const id = Number(conversations.run('direct', ...pair, null, 2, last).lastInsertRowid)
      for (const user of pair) members.run(user, id, last, 'member', 0, 0)
      return id
    },
    message(conversation, sender, content) {
      last += 1
      messages.run(last, conversation, sender, content, now)
      return last
    },
    period(conversation, member, sender) {
      const from = last + 1
      last += 1
      fill.message(conversation, sender, 'visible')
      last += 1
      periods.run(member, conversation, from, last, 'member', 0, 0, 'group', 1)
      fill.message(conversation, sender, 'hidden')
    },
    block: (blocker, blocked) => blocks.run(blocker, blocked, now, last, 0, 0, 0, 0),
  }
  const filled = body(fill)
  db.prepare('update counter set last = ?').run(last)
  db.exec('commit')
  db.close()
  return filled
}
