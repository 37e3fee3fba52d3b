import t from 'tap'
import type { ConversationList } from '../../schemas/conversation.ts'
import type { SyncPage } from '../../schemas/sync.ts'
import { startPostgres, withoutPostgres } from '../support/postgres.ts'
import { startPostgresProxy } from '../support/postgres-proxy.ts'
import { person, type Reply, startServer } from '../support/server.ts'

/** Repeats a call until the database answers. */
const available = async <T>(call: () => Promise<Reply<T>>): Promise<Reply<T>> => {
  for (;;) {
    const reply = await call()
    if (reply.status !== 503) return reply
  }
}

t.test(
  'after a restart of the database, nodes take each other’s cursors before all of them write again',
  { skip: withoutPostgres },
  async (t) => {
    const postgres = await startPostgres()
    t.teardown(() => postgres.end())
    // While it is held up, a node that lost its connection can read, and does not get a new connection that writes.
    let isHeldUp = false
    const proxy = await startPostgresProxy(t, postgres.url('postgres'), (chunk) =>
      isHeldUp && chunk.includes('insert into epochs')
        ? Buffer.from(chunk.toString('latin1').replace('insert into epochs', 'insert into nobody'), 'latin1')
        : chunk,
    )
    const a = await startServer(t, { DATABASE_URL: postgres.url('postgres') })
    const b = await startServer(t, { DATABASE_URL: proxy.url })
    const alice = await a.login('alice')
    const there = person(t, b.url, alice.session)
    const sync = (who: typeof alice, cursor?: string) =>
      available(() => who.call<SyncPage>('GET', cursor === undefined ? '/sync' : `/sync?cursor=${cursor}`))
    const isGoodEverywhere = async (cursor: string, what: string) => {
      for (const who of [alice, there]) t.equal((await sync(who, cursor)).status, 200, what)
    }

    await alice.send('alice', 'before')
    const early = (await sync(alice)).body.cursor
    const waiting = await there.connect({ cursor: early })
    await waiting.wait('caught_up')
    isHeldUp = true
    await postgres.restart()
    const send = (content: string) => () =>
      alice.call('POST', '/send', { receiver_username: 'alice', content, client_id: content })
    t.equal((await available(send('restarted'))).status, 200)
    const late = (await sync(alice)).body.cursor
    t.not(late.split('.')[0], early.split('.')[0])

    await isGoodEverywhere(late, 'the cursor of the node that writes')
    await isGoodEverywhere((await sync(there)).body.cursor, 'the cursor of the node that only reads')
    const list = await available(() => there.call<ConversationList>('GET', '/conversations'))
    await isGoodEverywhere(list.body.cursor, 'the cursor of its list')
    const { events, cursor } = (await sync(there, early)).body
    t.match(events, [{ type: 'message', content: 'restarted' }])
    for (const given of [cursor, (events[0] as { cursor: string }).cursor]) {
      await isGoodEverywhere(given, 'the cursors of its events')
    }
    const socket = await there.connect({ cursor: late })
    const caughtUp = await socket.wait('caught_up')
    await isGoodEverywhere(caughtUp.cursor, 'the cursor of its socket')
    const fresh = await there.connect()
    const hello = await fresh.wait('hello')
    await isGoodEverywhere(hello.cursor, 'the cursor of a new socket')
    t.match(await sync(there, `forged.${late.split('.')[1]}`), {
      status: 410,
      body: { code: 'CURSOR_UNKNOWN' },
    })
    t.not(b.app.database.epoch(), a.app.database.epoch(), 'the node has not written since the restart')

    isHeldUp = false
    t.equal((await available(send('after'))).status, 200)
    for (const [device, contents] of [
      [waiting, ['restarted', 'after']],
      [fresh, ['restarted', 'after']],
      [socket, ['after']],
    ] as const) {
      const last = await device.wait('message', ({ content }) => content === 'after')
      await isGoodEverywhere((last as { cursor: string }).cursor, 'the cursors of live events')
      t.strictSame(
        device.frames.flatMap((frame) => (frame.type === 'message' ? [frame.content] : [])),
        contents,
      )
    }
  },
)
