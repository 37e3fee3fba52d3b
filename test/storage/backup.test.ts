import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { backupDatabase, openDatabase, restoreDatabase } from '../../db/open.ts'
import { damageIndex, readRows } from '../support/database.ts'
import { operator, serve } from '../support/operator.ts'
import { startProcess } from '../support/process.ts'
import { call, login, startServer, temporaryFolder } from '../support/server.ts'

t.test('a backup made under load contains each message acknowledged before it, and restores', async (t) => {
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
  t.match(await backup(file), { code: 0, out: /integrity is checked/ })
  stop.abort()
  await sending
  t.match(await backup(file), { code: 1, err: /exists already/ })
  t.match(await restore(file), { code: 1, err: /in use by another server\. Stop that server first/ })
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
    `${ids.size} messages, with each message acknowledged before the backup`,
  )
  t.equal(statSync(file).mode & 0o777, 0o600)

  const restored = await restore(file)
  t.match(restored, { code: 0, out: /All tokens have ended/ })
  const kept = /replaced database is in (\S+)\./.exec(restored.out)?.[1] as string
  t.ok(existsSync(kept), 'the previous database is kept')
  await serve(t, folder, async (url) => {
    t.match(await call(url, 'GET', '/users/me', { token }), { status: 401 }, 'old tokens are invalid')
    const alice = await login(t, url, 'alice')
    t.equal((await alice.history('alice', '?limit=1000')).length, ids.size)
    t.match(await alice.call('GET', `/sync?cursor=${cursor}`), {
      status: 410,
      body: { code: 'CURSOR_UNKNOWN' },
    })
  })

  t.test('a file that is not a backup is not restored', async (t) => {
    writeFileSync(join(folder, 'text'), 'no database at all, '.repeat(500))
    for (const bad of ['text', 'absent']) {
      await t.rejects(restoreDatabase(DATABASE_URL, join(folder, bad), 'family'), { name: 'StorageError' })
    }
    const nowhere = join(folder, 'no-such-folder', 'saved')
    t.match(
      await backup(nowhere),
      { code: 1, err: /The backup \S+ can't be made: / },
      'the command reports the failure',
    )
    t.match(await restore(folder), { code: 1, err: /messenger-\S+ can't be / })
    t.match(await admin(['state', '--check']), { code: 0, out: /^damage +none$/m })
  })

  t.test('a damaged database can be replaced and cannot be backed up', async (t) => {
    const path = join(folder, 'messenger.db')
    const bytes = readFileSync(path)
    bytes.fill(0x55, 4096 * 3, bytes.length)
    writeFileSync(path, bytes)
    t.match(await backup(join(folder, 'bad')), { code: 1 })
    t.notOk(existsSync(join(folder, 'bad')))
    t.match(await restore(file), { code: 0 })
    t.match(await admin(['state', '--check']), { code: 0, out: /^damage +none$/m })
  })
})

t.test('of two concurrent backups to one file, one is complete and the other is refused', async (t) => {
  const { app, folder, login } = await startServer(t)
  await login('alice')
  await app.close()
  const url = `sqlite:${join(folder, 'messenger.db')}`
  const [file, made] = [join(folder, 'saved'), readRows(join(folder, 'messenger.db'), 'select * from users')]
  const ends = await Promise.allSettled([backupDatabase(url, file), backupDatabase(url, file)])
  t.strictSame(ends.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  t.match(
    ends.find(({ status }) => status === 'rejected'),
    { reason: { name: 'StorageError', message: /The backup \S+ can't be made: / } },
  )
  t.strictSame(readRows(file, 'select * from users'), made)
  t.strictSame(
    readdirSync(folder).filter((name) => name.includes('partial')),
    [],
  )
})

t.test('a damaged file that still opens is neither backed up nor restored', async (t) => {
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
    { code: 0, out: /^damage +none$/m },
    'the previous database is unchanged',
  )

  damageIndex(path, 'alice')
  t.match(await admin(['state', '--check']), { code: 1, out: /^damage +\S.*index/m, err: /Restore a backup/ })
  t.match(await backup(saved), { code: 1, err: /is damaged: .*index/ })
  t.notOk(existsSync(saved))
  t.notOk(readdirSync(folder).some((name) => name.includes('partial')))
})

/** Restores a backup, and is killed before it renames a database for the nth time. */
const killedRestore = `
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
const [path, file, nth] = process.argv.slice(2)
let changes = 0
for (const name of ['linkSync', 'copyFileSync', 'renameSync', 'rmSync']) {
  const change = fs[name]
  fs[name] = (...names) => {
    if (name !== 'rmSync' || !names[0].includes('.restoring')) changes += 1
    if (changes === Number(nth)) process.kill(process.pid, 'SIGKILL')
    return change(...names)
  }
}
syncBuiltinESMExports()
const { restoreDatabase } = await import(${JSON.stringify(new URL('../../db/open.ts', import.meta.url).href)})
await restoreDatabase('sqlite:' + path, file, 'family')`

t.test(
  'a restore killed at any step leaves a complete database: the previous one or the backup',
  async (t) => {
    const folder = await temporaryFolder(t)
    const path = (name: string) => join(folder, name)
    const send = async (name: string, contents: string[]) => {
      const database = await openDatabase(`sqlite:${path(name)}`, { maxQueue: 10 })
      const user = { username: 'alice', password_hash: null, family: 'f' }
      await database.writer.append('createUser', user)
      for (const content of contents) {
        await database.writer.append('send', { sender_id: 1, receiver_username: 'alice', content })
      }
      return database
    }
    await (await send('backup', ['saved'])).close()
    const open = await send('live', ['first', 'last'])
    // A killed server leaves its last messages in the journal only.
    const files = ['', '-wal'].map(
      (extension) => [extension, readFileSync(path(`live${extension}`))] as const,
    )
    await open.close()

    const contents = (name: string) =>
      readRows(path(name), 'select content from messages').map(({ content }) => content)
    writeFileSync(path('restore.mjs'), killedRestore)
    let step = 0
    for (let isKilled = true; isKilled; ) {
      step += 1
      for (const [extension, bytes] of files) writeFileSync(path(`db${step}${extension}`), bytes)
      const child = spawn(
        process.execPath,
        [path('restore.mjs'), path(`db${step}`), path('backup'), `${step}`],
        {
          stdio: 'inherit',
        },
      )
      const [code, signal] = await once(child, 'exit')
      isKilled = signal === 'SIGKILL'
      t.ok(isKilled || code === 0)
      t.strictSame(contents(`db${step}`), isKilled ? ['first', 'last'] : ['saved'], `before change ${step}`)
    }
    t.ok(step > 2, 'the process was killed')
    const kept = readdirSync(folder).find((name) => name.startsWith(`db${step}.before-`)) as string
    t.strictSame(contents(kept), ['first', 'last'], 'the previous database is kept')
  },
)

t.test('a backup is restored where no database existed', async (t) => {
  const { app, folder } = await startServer(t)
  await app.close()
  const elsewhere = await temporaryFolder(t)
  const restored = await operator(elsewhere).restore(join(folder, 'messenger.db'))
  t.match(restored, { code: 0, out: /All tokens have ended/ })
  t.notMatch(restored.out, /replaced database/)
})

t.test('files that root creates beside a database belong to the owner of the database', async (t) => {
  const { app, folder } = await startServer(t)
  await app.close()
  const { getuid } = process
  const me = getuid?.()
  const [database, saved] = [join(folder, 'messenger.db'), join(folder, 'saved')]
  const users = (...names: string[]) => names.map((name) => statSync(join(folder, name)).uid)
  const { backup, restore, admin } = operator(folder)
  // A test that does not run as root can only change the owner to its own user.
  process.getuid = () => 0
  t.teardown(() => Object.assign(process, { getuid }))
  const theirs = me === 0 ? 12_345 : me
  if (me === 0) for (const file of [folder, database]) chownSync(file, 12_345, 12_345)
  rmSync(`${database}-lock`)
  rmSync(`${database}.key`)

  t.match(await backup(saved), { code: 0 })
  t.match(await admin(['rotate-secret']), { code: 0 })
  t.strictSame(users('saved', 'messenger.db.key', 'messenger.db-lock'), [theirs, theirs, theirs])
  const { out } = await restore(saved)
  const kept = /replaced database is in (\S+)\./.exec(out)?.[1] as string
  t.strictSame(users('messenger.db', kept.slice(folder.length + 1)), [theirs, theirs])
  rmSync(database)
  t.match(await restore(saved), { code: 0 })
  t.strictSame(users('messenger.db'), [theirs], 'without a database the owner is that of the folder')
  rmSync(database)
  t.match(await admin(['revoke-tokens', '--everybody']), { code: 0 })
  t.strictSame(users('messenger.db'), [theirs])

  const [link, target] = [`${database}-lock`, join(folder, 'target')]
  writeFileSync(target, '')
  rmSync(link)
  symlinkSync(target, link)
  t.match(await admin(['revoke-tokens', '--everybody']), { code: 0 })
  t.strictSame(users('target'), [me], 'the target of a symbolic link keeps its owner')

  // A user other than root can neither change the owner nor restrict a file of another user.
  process.getuid = () => 54_321
  chmodSync(database, 0o640)
  const mine = join(folder, 'mine')
  t.match(await backup(mine), { code: 0 })
  t.match(await admin(['revoke-tokens', '--everybody']), { code: 0 })
  t.strictSame([...users('mine'), statSync(database).mode & 0o777], [me, 0o640])
})
