import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { type Migration, Migrator } from 'kysely/migration'
import t from 'tap'
import { createKysely } from '../../db/dialects/sqlite/kysely.ts'
import { defineFunctions } from '../../db/dialects/sqlite/migrations/0001-conversations.ts'
import type { FeedPage } from '../../schemas/feed.ts'
import { createApp } from '../support/server-key.ts'
import { startServer, temporaryFolder } from '../support/server.ts'

const source = new URL('../../db/dialects/sqlite/migrations/', import.meta.url)
const names = readdirSync(source)
  .filter((name) => /^\d{4}-.*\.ts$/.test(name))
  .map((name) => name.slice(0, -3))
  .sort()

/** Rows that each earlier server could write: ann and bob talk, ann owns a group with bob, and bob has left another. */
const ROWS = `
  insert into users (id, username, username_key, token_family, created_at) values
    (1, 'ann', 'ann', 'a', 1000), (2, 'Bob', 'bob', 'b', 1000);
  insert into conversations (id, kind, low_id, high_id, title, member_count, changed) values
    (1, 'direct', 1, 2, null, 2, 1), (2, 'group', null, null, 'Climbing', 2, 3), (3, 'group', null, null, 'Left', 1, 6);
  insert into members (user_id, conversation_id, from_number, to_number, role, delivered_up_to, read_up_to, title_at_end, count_at_end) values
    (1, 1, 1, ${Number.MAX_SAFE_INTEGER}, 'member', 2, 2, null, null), (2, 1, 1, ${Number.MAX_SAFE_INTEGER}, 'member', 2, 0, null, null),
    (1, 2, 3, ${Number.MAX_SAFE_INTEGER}, 'owner', 4, 4, null, null), (2, 2, 3, ${Number.MAX_SAFE_INTEGER}, 'member', 0, 0, null, null),
    (1, 3, 5, ${Number.MAX_SAFE_INTEGER}, 'owner', 0, 0, null, null), (2, 3, 5, 6, 'member', 0, 0, 'Left', 1);
  insert into messages (id, conversation_id, sender_id, content, timestamp, client_id, metadata) values
    (2, 1, 1, 'hello', 1000, 'key', '{"a":1}'), (4, 2, 1, 'to all', 1000, null, null);
  insert into blocks (blocker_id, blocked_id, created_at, number, low_delivered, low_read, high_delivered, high_read)
    values (2, 1, 1000, 7, 2, 2, 2, 0);
  update counter set last = 7;
`

/** Creates a database as the version whose newest migration is `last` left it. */
const createOld = async (folder: string, last: string) => {
  const db = new Sqlite(join(folder, 'messenger.db'))
  defineFunctions(db)
  const known = names.slice(0, names.indexOf(last) + 1)
  const migrations = await Promise.all(
    known.map(async (name) => [name, (await import(`${source.href}${name}.ts`)) as Migration] as const),
  )
  const provider = { getMigrations: async () => Object.fromEntries(migrations) }
  const { error } = await new Migrator({ db: createKysely(db), provider }).migrateToLatest()
  if (error) throw error
  db.exec(ROWS)
  db.close()
}

for (const last of names.slice(0, -1)) {
  t.test(`a server keeps all data of a database that ends with the migration ${last}`, async (t) => {
    const folder = await temporaryFolder(t)
    await createOld(folder, last)
    const server = await startServer(t, {}, folder)
    const [ann, bob] = [await server.login('ann'), await server.login('bob')]
    t.match([ann.id, bob.id, bob.username], [1, 2, 'Bob'])
    t.match(await bob.history('ann'), [
      { id: 2, sender: 'ann', content: 'hello', client_id: undefined, metadata: { a: 1 } },
    ])
    t.match(await bob.conversations(), [
      { id: 3, title: 'Left' },
      { id: 2, title: 'Climbing', role: 'member', member_count: 2, unread_count: 1 },
      { id: 1, peer: 'ann', unread_count: 1 },
    ])
    t.match((await bob.call('GET', '/blocks')).body, { blocks: [{ username: 'ann' }] })
    const again = await ann.call('POST', '/send', {
      receiver_username: 'bob',
      content: 'hello',
      metadata: { a: 1 },
      client_id: 'key',
    })
    t.match(again, { status: 200, body: { id: 2 } }, 'a repeated send is recognised')
    const { id } = await bob.send(2, 'back')
    t.ok(id > 7)
    await bob.call('PATCH', '/users/me', { display_name: 'Bob B.' })
    const { call } = await createApp(server)
    const { events } = (await call<FeedPage>('GET', '/events?cursor=0')).body
    t.strictSame(
      events.flatMap((event) => ('message' in event ? [event.message.content] : [])),
      ['hello', 'to all', 'back'],
    )
    t.match(events.at(-1), { type: 'user.updated', user: { profile: { display_name: 'Bob B.' } } })
  })
}
