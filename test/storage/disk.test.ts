import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Sqlite from 'better-sqlite3'
import t from 'tap'
import { readRows } from '../support/database.ts'
import { FAULTS, startFaulty } from '../support/fault.ts'
import { readMetrics } from '../support/metrics.ts'
import { startProcess } from '../support/process.ts'
import { call, login, type Person, startServer, temporaryFolder } from '../support/server.ts'

/** @returns the stored contents in the order of their ids. */
const storedIn = (folder: string) =>
  readRows(join(folder, 'messenger.db'), 'select content from messages order by id').map(
    ({ content }) => content,
  )

const send = (person: Person, content: string) =>
  person.call('POST', '/send', { receiver_username: person.username, content })

t.test('a server reports a disk that does not answer and is ready when the disk recovers', async (t) => {
  const { url, begin, end } = await startFaulty(t, await temporaryFolder(t))
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
      { status: 503, body: { code: 'STORAGE_UNAVAILABLE', detail: /database did not respond/ } },
      attempt,
    )
    t.ok(Number(reply.headers.get('retry-after')) > 0, 'with a retry hint')
    t.match(await call(url, 'GET', '/health/live'), { status: 200 })
    t.match(await alice.history('alice'), [{ content: 'before' }], 'reads still work')
    order.push(attempt)
  }
  end()
  await sending
  t.strictSame(order, ['first', 'second', 'stored 200'])
  while ((await ready()).status !== 200);
  t.equal((await alice.history('alice')).length, 2)
})

t.test('concurrent readiness probes share one write', async (t) => {
  const { app, url, folder, login } = await startServer(t, { MAX_QUEUE: '3' })
  const alice = await login('alice')
  const ready = () => call(url, 'GET', '/health/ready')
  const other = new Sqlite(join(folder, 'messenger.db'))
  t.teardown(() => other.close())
  other.exec('begin immediate')
  const replies = await Promise.all(Array.from({ length: 50 }, ready))
  for (const reply of replies) t.match(reply, { status: 503, body: { code: 'STORAGE_UNAVAILABLE' } })
  t.equal(app.database.writer.pending, 1, 'the probes queue one write')
  other.exec('rollback')
  t.match(await send(alice, 'x'), { status: 200 }, 'the queue has room for messages')

  const written = async () => (await readMetrics(url))('messenger_batch_size_sum')
  const before = await written()
  const started = performance.now()
  for (let asked = 0; asked < 50; asked += 1) t.match(await ready(), { status: 200 })
  const most = 1 + Math.ceil((performance.now() - started) / 1000)
  const probes = (await written()) - before
  t.ok(probes <= most, `${probes} writes for 50 sequential probes: at most one a second`)
})

/** Stops a server as a service manager does. */
const stop = ({ child, exited }: Awaited<ReturnType<typeof startProcess>>) => {
  child.kill('SIGTERM')
  return exited
}

for (const [how, end] of [
  ['hung', { code: 0, signal: null }],
  // A thread that is blocked in a system call ends only with its process.
  ['stuck', { code: null, signal: 'SIGKILL' }],
] as const) {
  t.test(
    `a server stopped while the disk is ${how} ends by itself, and each acknowledged message is stored`,
    async (t) => {
      const folder = await temporaryFolder(t)
      const server = await startFaulty(t, folder)
      const alice = await login(t, server.url, 'alice')
      const socket = await alice.connect()
      const answered: string[] = []
      for (const content of ['one', 'two']) answered.push((await alice.send('alice', content)).content)
      server.begin(how)
      const waiting = Promise.allSettled(
        ['three', 'four', 'five'].map(async (content) => {
          const { status } = await send(alice, content)
          if (status === 200) answered.push(content)
        }),
      )
      socket.send({ type: 'send', receiver_username: 'alice', content: 'six', id: '6' })
      await call(server.url, 'GET', '/health/ready')
      const ended = await stop(server)
      t.strictSame(ended, end)
      t.match(server.output(), /the stop took too long/)
      await waiting
      t.strictSame(answered, ['one', 'two'])
      t.notOk(socket.frames.some(({ type }) => type === 'ack'))
      t.strictSame(storedIn(folder), answered)
    },
  )
}

t.test('a server stopped while the disk is slow answers waiting requests and ends by itself', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  const alice = await login(t, server.url, 'alice')
  await alice.send('alice', 'before')
  server.begin('slow')
  const first = send(alice, '0')
  await call(server.url, 'GET', '/health/live')
  const waiting = ['1', '2', '3'].map((content) => send(alice, content))
  await call(server.url, 'GET', '/health/live')
  const ended = await stop(server)
  t.strictSame(ended, { code: 0, signal: null })
  const answers = await Promise.all([first, ...waiting])
  const stored = storedIn(folder)
  t.match(answers[0], { status: 200 })
  t.strictSame(stored.length, 1 + answers.filter(({ status }) => status === 200).length)
  for (const { status } of answers) t.ok(status === 200 || status === 503, 'answered or refused')
})

t.test('a failed fsync leaves the file unchanged for the next process', async (t) => {
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

t.test('a failed fsync of a checkpoint ends the process and loses no acknowledged message', async (t) => {
  const folder = await temporaryFolder(t)
  const env = { MAX_MESSAGE_LENGTH: '65536' }
  const server = await startFaulty(t, folder, env)
  const alice = await login(t, server.url, 'alice')
  server.begin('checkpoint')
  const answered: string[] = []
  // More than the write-ahead log holds before a checkpoint copies it into the file.
  for (let n = 0; n < 400; n++) {
    const content = `${n} ${'x'.repeat(65_000)}`
    const reply = await send(alice, content).catch(() => undefined)
    if (reply?.status !== 200) break
    answered.push(content)
  }
  t.strictSame(await server.exited, { code: 1, signal: null })
  t.ok(answered.length > 200 && answered.length < 400, 'the checkpoint ran after the log had grown')
  t.match(server.output(), /storage failed; stopping/)
  server.end()
  const stored = storedIn(folder)
  t.strictSame(stored.slice(0, answered.length), answered)
})

t.test('a storage failure during the stop sets exit code 1', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  await (await login(t, server.url, 'alice')).send('alice', 'one')
  server.begin('checkpoint')
  const { code, signal } = await stop(server)
  t.strictSame({ code, signal }, { code: 1, signal: null })
  t.match(server.output(), /storage failed/)
})

t.test('a message of a failed fsync can be stored, and a retry under its key returns it', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  const alice = await login(t, server.url, 'alice')
  const message = { receiver_username: 'alice', content: 'x', client_id: 'k' }
  server.begin('unsynced')
  t.match(await alice.call('POST', '/send', message), {
    status: 503,
    body: { code: 'STORAGE_UNAVAILABLE', detail: /may be stored or not/ },
  })
  t.strictSame(await server.exited, { code: 1, signal: null })
  server.end()
  const again = await login(t, (await startProcess(t, folder)).url, 'alice')
  t.match(await again.call('POST', '/send', message), { status: 200, body: { content: 'x' } })
  t.equal((await again.history('alice')).length, 1)
})

t.test('a signal during the start ends the process at once', async (t) => {
  const entry = fileURLToPath(new URL('../../bin/messenger.js', import.meta.url))
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const child = spawn(process.execPath, [entry], {
      cwd: await temporaryFolder(t),
      env: { ...process.env, NODE_OPTIONS: FAULTS, HANG_START: 'yes', PORT: '0', HOST: '127.0.0.1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    await once(child.stdout, 'data')
    child.kill(signal)
    t.strictSame(await exited, [0, null], signal)
  }
})
