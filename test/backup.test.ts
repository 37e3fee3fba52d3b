import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { restoreDatabase } from '../db/open.ts'
import { damageIndex } from './support/database.ts'
import { operator, serve } from './support/operator.ts'
import { startProcess } from './support/process.ts'
import { call, login, startServer, temporaryFolder } from './support/server.ts'

t.test(
  'a backup made while messages are sent holds each that was answered before, and is restored',
  async (t) => {
    const folder = await temporaryFolder(t)
    const { url: DATABASE_URL, backup, restore, admin } = operator(folder)
    const file = join(folder, 'saved')
    const server = await startProcess(t, folder, { RATE_LIMIT_SEND: '0' })
    const { url } = server
    const alice = await login(t, url, 'alice')
    const { token } = alice
    const answered: number[] = []
    while (answered.length < 20) answered.push((await alice.send('alice', 'before')).id)
    const stop = new AbortController()
    const sending = (async () => {
      while (!stop.signal.aborted) await alice.send('alice', 'on and on')
    })()
    t.match(await backup(file), { code: 0, out: /was checked/ })
    stop.abort()
    await sending
    t.match(await backup(file), { code: 1, err: /there already/ })
    t.match(await restore(file), { code: 1, err: /in use by another server/ })
    const socket = await alice.connect()
    await alice.send('alice', 'after the backup')
    const after = await socket.wait('message', ({ content }) => content === 'after the backup')
    const cursor = after.cursor as string
    server.child.kill('SIGKILL')
    await server.exited

    const saved = new Sqlite(file, { readonly: true })
    const ids = new Set(saved.prepare('select id from messages').pluck().all())
    saved.close()
    t.ok(
      answered.every((id) => ids.has(id)),
      `${ids.size} messages, each that was answered before among them`,
    )
    t.equal(statSync(file).mode & 0o777, 0o600)

    const restored = await restore(file)
    t.match(restored, { code: 0, out: /Every token has ended/ })
    const kept = /kept in (\S+)\./.exec(restored.out)?.[1] as string
    t.ok(existsSync(kept), 'what was there is kept')
    await serve(t, folder, async (url) => {
      t.match(await call(url, 'GET', '/users/me', { token }), { status: 401 }, 'old tokens hold no more')
      const alice = await login(t, url, 'alice')
      t.equal((await alice.history('alice', '?limit=1000')).length, ids.size)
      t.match(await alice.call('GET', `/sync?cursor=${cursor}`), {
        status: 410,
        body: { code: 'CURSOR_UNKNOWN' },
      })
    })

    t.test('what is no backup is not put in its place', async (t) => {
      writeFileSync(join(folder, 'text'), 'no database at all, '.repeat(500))
      for (const bad of ['text', 'absent']) {
        await t.rejects(restoreDatabase(DATABASE_URL, join(folder, bad), 'family'), { name: 'StorageError' })
      }
      const nowhere = join(folder, 'no-such-folder', 'saved')
      t.match(
        await backup(nowhere),
        { code: 1, err: /The backup \S+ can't be made: / },
        'what failed is said',
      )
      t.match(await restore(folder), { code: 1, err: /messenger-\S+ can't be / })
      t.match(await admin(['state', '--check']), { code: 0, out: /damage +│ 'none'/ })
    })

    t.test('a damaged database is replaced, and a damaged one is not backed up', async (t) => {
      const path = join(folder, 'messenger.db')
      const bytes = readFileSync(path)
      bytes.fill(0x55, 4096 * 3, bytes.length)
      writeFileSync(path, bytes)
      t.match(await backup(join(folder, 'bad')), { code: 1 })
      t.notOk(existsSync(join(folder, 'bad')))
      t.match(await restore(file), { code: 0 })
      t.match(await admin(['state', '--check']), { code: 0, out: /damage +│ 'none'/ })
    })
  },
)

t.test('damage that lets a file be opened is seen: it is not backed up, nor restored', async (t) => {
  const { app, folder, login } = await startServer(t)
  await login('alice')
  await app.close()
  const { backup, restore, admin } = operator(folder)
  const [path, damaged, saved] = ['messenger.db', 'damaged', 'saved'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  copyFileSync(path, damaged)
  damageIndex(damaged, 'alice')
  t.match(await restore(damaged), { code: 1, err: /damaged is damaged: .*index/ })
  t.match(
    await admin(['state', '--check']),
    { code: 0, out: /damage +│ 'none'/ },
    'what was there is as it was',
  )

  damageIndex(path, 'alice')
  t.match(await admin(['state', '--check']), { code: 1, out: /damage +│ '.*index/, err: /restore a backup/ })
  t.match(await backup(saved), { code: 1, err: /is damaged: .*index/ })
  t.notOk(existsSync(saved))
  t.notOk(existsSync(`${saved}.partial`))
})

t.test('a backup is restored where no database was', async (t) => {
  const { app, folder } = await startServer(t)
  await app.close()
  const elsewhere = await temporaryFolder(t)
  const restored = await operator(elsewhere).restore(join(folder, 'messenger.db'))
  t.match(restored, { code: 0, out: /Every token has ended/ })
  t.notMatch(restored.out, /kept in/)
})
