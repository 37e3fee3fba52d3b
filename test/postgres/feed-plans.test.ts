import t from 'tap'
import pg from 'pg'
import { bindRead, compile } from '../../db/dialects/postgres/statements.ts'
import { openDatabase } from '../../db/open.ts'
import * as feed from '../../db/queries/feed.ts'
import { query, withoutPostgres as skip } from '../support/postgres.ts'
import { createPostgres } from '../support/test-database.ts'

/** 20,000 users, each in a conversation of their own with ten messages. Half of the rows were changed. */
const FILL = [
  `insert into users (id, username, username_key, token_family, created_at, created_number, changed)
   select n, 'user' || n, 'user' || n, 'f', 0, n * 20, n * 20 + n % 2 from generate_series(1, 20000) as n`,
  `insert into conversations (id, kind, low_id, high_id, member_count, created, changed)
   select n, 'direct', n, n, 1, n * 20, n * 20 + n % 2 from generate_series(1, 20000) as n`,
  `insert into members (user_id, conversation_id, from_number, to_number, role, delivered_up_to, read_up_to, receipt_number)
   select n, n, n * 20, case when n % 2 = 0 then ${Number.MAX_SAFE_INTEGER} else n * 20 + 19 end, 'member', 0, 0, n * 20 + 18 from generate_series(1, 20000) as n`,
  `insert into messages (id, conversation_id, sender_id, content, timestamp, changed)
   select n * 2, 1 + n % 20000, 1 + n % 20000, 'hello', 0, case when n % 2 = 0 then n * 2 + 1 end from generate_series(1, 200000) as n`,
  `insert into reports (id, message_id, reporter_id, reason, content, created_at, status)
   select n * 2, n * 2, 1 + n % 20000, 'spam', 'hello', 0, 'open' from generate_series(1, 20000) as n`,
  'analyze',
]

t.test('on PostgreSQL every query of the feed reads a range of an index', { skip }, async (t) => {
  const url = await createPostgres('feed-plans')
  const { close } = await openDatabase(url, { maxQueue: 1 })
  await close()
  for (const sql of FILL) await query(url, sql)
  const client = new pg.Client(url)
  await client.connect()
  t.teardown(() => client.end())
  for (const [name, each] of Object.entries(feed)) {
    for (const after of [0, 200_000]) {
      const args = { after, up_to: 400_000, limit: 128 }
      const { rows } = await client.query(
        `explain (analyze, format json) ${compile(each as typeof feed.joined).text}`,
        bindRead(each as typeof feed.joined, args),
      )
      const [{ Plan: plan }] = rows[0]['QUERY PLAN'] as [{ Plan: Step }]
      const steps = stepsOf(plan)
      t.notOk(
        steps.some((step) => step['Node Type'] === 'Seq Scan'),
        `${name} after ${after} scans no table`,
      )
      const most = Math.max(...steps.map((step) => step['Actual Rows'] * step['Actual Loops']))
      t.ok(most <= 129, `${name} after ${after} reads no more rows than it returns: ${most}`)
    }
  }
})

type Step = { 'Node Type': string; 'Actual Rows': number; 'Actual Loops': number; Plans?: Step[] }

const stepsOf = (plan: Step): Step[] => [plan, ...(plan.Plans ?? []).flatMap(stepsOf)]
