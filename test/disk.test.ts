import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import { readRows } from './support/database.ts'
import { startFaulty } from './support/fault.ts'
import { startProcess } from './support/process.ts'
import { call, login, type Person, startServer, temporaryFolder } from './support/server.ts'

const preload = `--import=${new URL('support/bad-disk.ts', import.meta.url)}`

/** Starts the real process on a disk that can be told to go bad. */
const startBad = async (t: Test) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'fault')
  const server = await startProcess(t, folder, { NODE_OPTIONS: preload, FAULT_FILE: file })
  return {
    ...server,
    folder,
    stored: () => readRows(join(folder, 'messenger.db'), 'select content from messages order by id'),
    begin: (how: 'hung' | 'stuck' | 'unsynced') => writeFileSync(file, how),
    end: () => rmSync(file),
  }
}

const send = (person: Person, content: string) =>
  person.call('POST', '/send', { receiver_username: person.username, content })

t.test('while the disk does not answer the server says so, and it is ready when the disk is', async (t) => {
  const { url, begin, end } = await startBad(t)
  const alice = await login(t, url, 'alice')
  await alice.send('alice', 'before')
  const ready = () => call(url, 'GET', '/health/ready')
  begin('hung')
  const order: string[] = []
  const sending = send(alice, 'meanwhile').then(({ status }) => order.push(`stored ${status}`))
  for (const attempt of ['first', 'second']) {
    const reply = await ready()
    t.match(
      reply,
      { status: 503, body: { code: 'STORAGE_UNAVAILABLE', detail: /disk has not answered/ } },
      attempt,
    )
    t.ok(Number(reply.headers.get('retry-after')) > 0, 'with a hint')
    t.match(await call(url, 'GET', '/health/live'), { status: 200 })
    t.match(await alice.history('alice'), [{ content: 'before' }], 'reading goes on')
    order.push(attempt)
  }
  end()
  await sending
  t.strictSame(order, ['first', 'second', 'stored 200'])
  while ((await ready()).status !== 200);
  t.equal((await alice.history('alice')).length, 2)
})

t.test('many who ask whether it is ready share one write', async (t) => {
  const { app, url, folder, login } = await startServer(t, { MAX_QUEUE: '3' })
  const alice = await login('alice')
  const ready = () => call(url, 'GET', '/health/ready')
  const other = new Sqlite(join(folder, 'messenger.db'))
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const replies = await Promise.all(Array.from({ length: 50 }, ready))
  for (const reply of replies) t.match(reply, { status: 503, body: { code: 'STORAGE_UNAVAILABLE' } })
  t.equal(app.database.writer.pending, 1, 'in the queue it is one')
  other.exec('rollback')
  t.match(await send(alice, 'x'), { status: 200 }, 'and leaves room for messages')

  const written = async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^messenger_batch_size_sum (\d+)/m.exec(text)?.[1])
  }
  const before = await written()
  const started = performance.now()
  for (let asked = 0; asked < 50; asked += 1) t.match(await ready(), { status: 200 })
  const most = 1 + Math.ceil((performance.now() - started) / 1000)
  const probes = (await written()) - before
  t.ok(probes <= most, `${probes} for 50, one after the other: at most one a second`)
})

t.test('after an fsync that failed it leaves the file as it is, for a new process to read', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  const alice = await login(t, server.url, 'alice')
  for (const content of ['one', 'two']) await alice.send('alice', content)
  const files = () => ['', '-wal'].map((end) => readFileSync(join(folder, `messenger.db${end}`)))
  const before = files()
  server.begin('fsync')
  t.match(await send(alice, 'three'), { status: 503, body: { code: 'STORAGE_UNAVAILABLE' } })
  t.strictSame(await server.exited, { code: 1, signal: null })
  for (const [index, bytes] of files().entries()) t.ok(bytes.equals(before[index] as Buffer))
  server.end()
  const again = await startProcess(t, folder)
  t.match(await (await login(t, again.url, 'alice')).history('alice'), [
    { content: 'one' },
    { content: 'two' },
  ])
})

t.test('what an fsync that failed had in the file may stay: a repeat under its key settles it', async (t) => {
  const server = await startBad(t)
  const alice = await login(t, server.url, 'alice')
  const message = { receiver_username: 'alice', content: 'x', client_id: 'k' }
  server.begin('unsynced')
  t.match(await alice.call('POST', '/send', message), {
    status: 503,
    body: { code: 'STORAGE_UNAVAILABLE', detail: /may be stored or not/ },
  })
  t.strictSame(await server.exited, { code: 1, signal: null })
  server.end()
  const again = await login(t, (await startProcess(t, server.folder)).url, 'alice')
  t.match(await again.call('POST', '/send', message), { status: 200, body: { content: 'x' } })
  t.equal((await again.history('alice')).length, 1)
})
