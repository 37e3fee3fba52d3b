import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { createStatements } from '../../db/dialects/sqlite/statements.ts'
import { migrate } from '../../db/dialects/sqlite/migrations/index.ts'
import type { Query } from '../../db/query.ts'
import * as blocks from '../../db/queries/blocks.ts'
import * as conversationList from '../../db/queries/conversation-list.ts'
import * as conversations from '../../db/queries/conversations.ts'
import * as events from '../../db/queries/events.ts'
import * as feed from '../../db/queries/feed.ts'
import * as members from '../../db/queries/members.ts'
import * as messages from '../../db/queries/messages.ts'
import * as periods from '../../db/queries/periods.ts'
import * as pushes from '../../db/queries/pushes.ts'
import * as reports from '../../db/queries/reports.ts'
import * as serverKeys from '../../db/queries/server-keys.ts'
import * as users from '../../db/queries/users.ts'
import * as webhooks from '../../db/queries/webhooks.ts'
import { temporaryFolder } from '../support/server.ts'

/** Tables that a query may scan: it concerns all rows, or there are few of them. */
const wholeTables =
  /\bSCAN (unread|looked|found|mine|listed|late|future|json_each|by_name|by_display|matching)\b/
const concernsAll = new Set([
  'users.setEveryFamily',
  'users.revokedTokens',
  'serverKeys.serverKeys',
  'webhooks.webhooks',
  'webhooks.webhookNames',
])

t.test('every query uses an index, however many other rows exist', async (t) => {
  const db = new Sqlite(join(await temporaryFolder(t), 'messenger.db'))
  t.teardown(() => db.close())
  await migrate(db)
  const modules = {
    blocks,
    conversationList,
    conversations,
    events,
    feed,
    members,
    messages,
    periods,
    pushes,
    reports,
    serverKeys,
    users,
    webhooks,
  }
  for (const [file, queries] of Object.entries(modules)) {
    for (const [name, query] of Object.entries(queries)) {
      if (!('compile' in query) || concernsAll.has(`${file}.${name}`)) continue
      for (const step of planOf(db, query as Query<never, unknown>)) {
        if (step.startsWith('SCAN')) t.match(step, wholeTables, `${file}.${name}: ${step}`)
      }
    }
  }
  t.strictSame(
    planOf(db, members.overdueReceipts).filter((step) => /members/.test(step)),
    ['<', '>'].map((side) => `SEARCH members USING COVERING INDEX members_due (announced_at${side}?)`),
  )
  t.ok(planOf(db, members.membersOf).some((step) => /USING INDEX members_open/.test(step)))
  t.ok(planOf(db, users.leavingUsers).some((step) => /INDEX users_leaving/.test(step)))
  t.match(planOf(db, messages.messagesDown), [/USING INDEX messages_history/])
  // Ended membership periods and removed accounts are not scanned.
  t.match(planOf(db, members.membersOf)[0], /USING INDEX members_open \(conversation_id=\?\)/)
  t.match(planOf(db, members.unblockedMembers)[0], /USING COVERING INDEX members_open \(conversation_id=\?\)/)
  t.strictSame(
    planOf(db, users.usersByPrefix).filter((step) => /users .*INDEX/.test(step)),
    [
      'SEARCH users USING INDEX users_present (username_key>? AND username_key<?)',
      'SEARCH users USING INDEX users_display (display_key>? AND display_key<?)',
    ],
  )
  t.match(planOf(db, members.shownMembers)[0], /USING INDEX members_open \(conversation_id=\?\)/)
  for (const [name, each] of Object.entries(feed)) {
    const plan = planOf(db, each)
    t.match(plan[0], /^SEARCH .*(\w+>\? AND \w+<\?)/, `feed.${name} reads a range of numbers`)
    // Members who joined with one number are sorted by their ids: at most one group at a time.
    if (name !== 'joined') t.notMatch(plan.join(), /B-TREE/, `feed.${name} sorts nothing`)
  }
  t.match(planOf(db, blocks.blocksBy)[1], /USING COVERING INDEX blocks_latest/)
})

t.test('a statement has one plan, whatever values are bound to it', async (t) => {
  const texts: string[] = []
  const statements = createStatements({ prepare: (text: string) => fakeStatement(texts, text) } as never)
  statements.all(messages.messagesDown, { conversation_id: 1, from: 1, to: 2, limit: 3 })
  t.notMatch(texts[0], /[^+]\?/, 'each parameter has a unary plus, which hides it from the planner')
})

const fakeStatement = (texts: string[], text: string) => {
  texts.push(text)
  return { all: () => [] }
}

/** The text is that of the query that runs, so its plan is the same. */
const planOf = (db: Sqlite.Database, query: Query<never, unknown>): string[] => {
  let steps: { detail: string }[] = []
  const explain = (text: string) => ({
    all(...values: unknown[]) {
      steps = db.prepare(`explain query plan ${text}`).all(...values) as typeof steps
      return []
    },
  })
  const anything = new Proxy({}, { get: () => 1 })
  createStatements({ prepare: explain } as never).all(query, anything as never)
  return steps.map(({ detail }) => detail)
}
