import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { SentMessage } from '../schemas/message.ts'
import { killUnderLoad } from './faults/kill.ts'
import { startFaulty } from './support/fault.ts'
import { startProcess } from './support/process.ts'
import { dial } from './support/raw.ts'
import { call, login, type Person, startServer, temporaryFolder } from './support/server.ts'

// Real processes that are killed and started again: minutes on a busy machine.
t.setTimeout(300_000)

/** Large enough to need a page of its own. */
const content = 'x'.repeat(4000)

/** Sends until one is refused. @returns the refusal, and how many were answered */
const sendUntilRefused = async (person: Person) => {
  for (let sent = 0; ; sent += 1) {
    const reply = await person.call('POST', '/send', { receiver_username: person.username, content })
    if (reply.status !== 200) return { reply, sent }
  }
}

const isUnavailable = (t: Test, reply: { status: number; headers: Headers; body: unknown }, why: RegExp) => {
  t.match(reply, { status: 503, body: { code: 'STORAGE_UNAVAILABLE', detail: why } })
  t.ok(Number(reply.headers.get('retry-after')) > 0, 'with a hint')
  t.notMatch(JSON.stringify(reply.body), /messenger\.db|SQLITE/, 'and nothing of the inside')
}

t.test('a disk that fails for a while is said so, and what was answered before is there', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await startFaulty(t, folder)
  const { url } = server
  const alice = await login(t, url, 'alice')
  const socket = await alice.connect()
  const ready = () => call(url, 'GET', '/health/ready')
  let stored = 0

  const recovers = async (t: Test) => {
    server.end()
    t.match(await ready(), { status: 200 }, 'it recovers by itself')
    await alice.send('alice', content)
    stored += 1
    t.equal(
      (await alice.history('alice', '?limit=1000')).length,
      stored,
      'all that was answered, and no more',
    )
  }

  for (const [fault, why] of [
    ['full', /disk is full/],
    ['readonly', /can be read, and not written/],
  ] as const) {
    await t.test(fault, async (t) => {
      server.begin(fault)
      const { reply, sent } = await sendUntilRefused(alice)
      stored += sent
      isUnavailable(t, reply, why)
      isUnavailable(t, await ready(), why)
      t.match(await socket.ask({ type: 'send', receiver_username: 'alice', content }), {
        type: 'error',
        retryable: true,
        problem: { code: 'STORAGE_UNAVAILABLE' },
      })
      t.match(await call(url, 'GET', '/health/live'), { status: 200 })
      t.equal((await alice.history('alice', '?limit=1000')).length, stored, 'reading goes on')
      await recovers(t)
    })
  }

  await t.test('locked', async (t) => {
    const other = new Sqlite(join(folder, 'messenger.db'))
    other.exec('begin immediate')
    const { reply } = await sendUntilRefused(alice)
    isUnavailable(t, reply, /Another program/)
    isUnavailable(t, await ready(), /Another program/)
    t.match(await call(url, 'GET', '/health/live'), { status: 200 })
    other.exec('rollback')
    other.close()
    await recovers(t)
  })

  await t.test('slow: reading and the probe do not wait for it', async (t) => {
    server.begin('slow')
    const order: string[] = []
    const sending = alice.send('alice', content).then(() => order.push('stored'))
    await call(url, 'GET', '/health/live')
    await alice.history('alice', '?limit=1')
    order.push('read')
    await sending
    stored += 1
    t.strictSame(order, ['read', 'stored'])
    await recovers(t)
  })

  await t.test('a clock that goes back an hour: ids and cursors keep rising', async (t) => {
    const before = await alice.send('alice', content)
    server.begin('clock')
    const after = await alice.send('alice', content)
    stored += 2
    t.ok(after.timestamp < before.timestamp, 'it did')
    t.ok(after.id > before.id)
    const messages = socket.frames.filter(({ type }) => type === 'message') as unknown as SentMessage[]
    await socket.wait('message', ({ id }) => id === after.id)
    t.ok(messages.every(({ id }, index) => index === 0 || id > (messages[index - 1] as SentMessage).id))
    await recovers(t)
  })

  await t.test('two processes on one file: the second says so, and ends', async (t) => {
    await t.rejects(startProcess(t, folder), /in use by another server/)
    t.match(await ready(), { status: 200 })
  })

  await t.test(
    'an fsync that fails can not be made good: the process ends, and a new one has all',
    async (t) => {
      server.begin('fsync')
      const reply = await alice.call('POST', '/send', { receiver_username: 'alice', content })
      isUnavailable(t, reply, /starts anew/)
      t.equal((await socket.closed).code, 1001)
      t.match(await server.exited, { code: 1 })
      server.end()
      const again = await startProcess(t, folder)
      const { body } = await call<SentMessage[]>(again.url, 'GET', '/history/alice?limit=1000', {
        token: alice.token,
      })
      t.equal(body.length, stored, 'what was answered, and not what was refused')
    },
  )
})

t.test('a file that is no database is refused with a sentence, and left as it is', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(join(folder, 'messenger.db'), 'this is no database, '.repeat(1000))
  await t.rejects(startProcess(t, folder), /messenger\.db can't be opened: file is not a database/)
})

t.test('killed under load five times: nothing answered is lost, nothing is stored twice', async (t) => {
  const figures = await killUnderLoad(t, {
    folder: await temporaryFolder(t),
    sends: 5000,
    kills: 5,
    senders: 4,
    window: 16,
  })
  t.comment(figures)
  t.match(figures, { kills: 5, sends: 5000, violations: [] })
  t.equal(figures.violations.length, 0)
})

t.test(
  'stopped under load, with mute sockets and half a request: what was in flight is answered',
  async (t) => {
    const folder = await temporaryFolder(t)
    const server = await startProcess(t, folder, { RATE_LIMIT_SEND: '0' })
    const alice = await login(t, server.url, 'alice')
    const socket = await alice.connect()
    const mute = await alice.connect()
    mute.socket.pause()
    const half = await dial(t, server.url)
    half.write('POST /send HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"rec')
    const count = 300
    for (let id = 0; id < count; id += 1) {
      socket.send({ id: `${id}`, receiver_username: 'alice', content: `${id}`, client_id: `${id}` })
    }
    await socket.wait('ack')
    server.child.kill('SIGTERM')
    t.equal((await socket.closed).code, 1001)
    t.match(await server.exited, { code: 0 })
    const acked = socket.frames.flatMap((frame) => (frame.type === 'ack' ? [frame.message?.client_id] : []))
    const db = new Sqlite(join(folder, 'messenger.db'), { readonly: true })
    const stored = db.prepare('select client_id from messages order by id').pluck().all()
    db.close()
    t.strictSame(acked, stored, `${acked.length} of ${count} were in time: each is answered, in order`)
  },
)

t.test('past MAX_SOCKETS a socket is refused with a hint; when one goes there is room again', async (t) => {
  const { url, login } = await startServer(t, { MAX_SOCKETS: '3' })
  const alice = await login('alice')
  const sockets = [await alice.connect(), await alice.connect(), await alice.connect()]
  const connection = await dial(t, url)
  connection.write(
    `GET /ws HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice.token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  const answer = (await connection.until((bytes) => bytes.includes('}'))).toString()
  t.match(answer, /^HTTP\/1\.1 503 .*retry-after: \d+.*"code":"OVERLOADED"/is)
  for (const socket of sockets) t.match(await socket.ask({ type: 'ping' }), { type: 'pong' })
  t.equal((await alice.send('alice', 'x')).content, 'x')
  await sockets[0]?.close()
  t.match(await (await alice.connect()).ask({ type: 'ping' }), { type: 'pong' })
})

t.test('one who never reads is cut off, others are served, and it resumes without a hole', async (t) => {
  const { app, login } = await startServer(t, { SOCKET_HARD_LIMIT: '262144', RATE_LIMIT_SEND: '0' })
  const [alice, bob] = [await login('alice'), await login('bob')]
  const reading = await bob.connect()
  const stalled = await bob.connect()
  const hello = stalled.frames[0]
  const cursor = hello?.type === 'hello' ? hello.cursor : ''
  stalled.socket.pause()
  let sent = 0
  // The kernel takes its part first: how much that is differs.
  while (app.sockets.hub.size > 1 && sent < 5000) {
    await Promise.all(Array.from({ length: 50 }, () => alice.send('bob', content)))
    sent += 50
  }
  t.equal(app.sockets.counts.closed.get(4410), 1, `cut off after ${sent} messages`)
  await reading.wait('message', () => reading.frames.filter(({ type }) => type === 'message').length === sent)
  const back = await bob.connect({ cursor })
  await back.wait('caught_up')
  const ids = back.frames.flatMap((frame) => (frame.type === 'message' ? [frame.id] : []))
  t.equal(new Set(ids).size, sent)
  t.strictSame(
    ids,
    [...ids].sort((a, b) => a - b),
  )
})

t.test('a peer that vanished is cut off within two heartbeats', async (t) => {
  const { login } = await startServer(t, { HEARTBEAT_MS: '200' })
  const alice = await login('alice')
  const socket = await alice.connect()
  const staying = await alice.connect()
  // It takes what comes and answers no ping.
  socket.socket.pong = () => {}
  const [code] = await once(socket.socket, 'close')
  t.equal(code, 4408)
  t.match(await staying.ask({ type: 'ping' }), { type: 'pong' })
})
