import { closeSync, openSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import Sqlite from 'better-sqlite3'
import t, { type Test } from 'tap'
import type { SentMessage } from '../../schemas/message.ts'
import type { Problem } from '../../schemas/problem.ts'
import { killUnderLoad } from '../faults/kill.ts'
import { watchLive } from '../faults/live.ts'
import { stalledReaders } from '../faults/stalled.ts'
import { startFaulty } from '../support/fault.ts'
import { handshake } from '../support/frames.ts'
import { readMetrics } from '../support/metrics.ts'
import { startProcess } from '../support/process.ts'
import { dial } from '../support/raw.ts'
import { call, login, type Person, startServer, temporaryFolder } from '../support/server.ts'
import { connect } from '../support/socket.ts'
import { only, onPostgres, rows } from '../support/test-database.ts'
import { startProxy } from '../support/unreliable-proxy.ts'

// Kills and restarts real processes, which takes minutes on a busy machine.
t.setTimeout(600_000)

/** Large enough to need a database page of its own. */
const content = 'x'.repeat(4000)

const aboutFile = only('sqlite', 'it changes the file.')

/** @returns the number of a cursor, which follows its epoch. */
const numberOf = (cursor: string) => Number(cursor.split('.')[1])

/** Sends until one send is refused. @returns the refusal and the number of acknowledged sends */
const sendUntilRefused = async (person: Person) => {
  for (let sent = 0; ; sent += 1) {
    const reply = await person.call('POST', '/send', { receiver_username: person.username, content })
    if (reply.status !== 200) return { reply, sent }
  }
}

const isUnavailable = (t: Test, reply: { status: number; headers: Headers; body: unknown }, why: RegExp) => {
  t.match(reply, { status: 503, body: { code: 'STORAGE_UNAVAILABLE', detail: why } })
  t.ok(Number(reply.headers.get('retry-after')) > 0, 'with a retry hint')
  t.notMatch(JSON.stringify(reply.body), /messenger\.db|SQLITE/, 'without internal details')
}

/**
 * Runs `during` while a probe watches `/health/live`. Only the long run judges the time of the answers, because other tests
 * use the processor here.
 * @param end whether the server ends during the fault, so that it can refuse or disappear
 */
const staysAlive = async (t: Test, url: string, during: () => Promise<void>, end = false) => {
  const watch = await watchLive(t, url)
  await during()
  const { live, bare } = await watch.stop()
  const others = Object.keys(live.replies).filter((reply) => reply !== '200')
  t.ok((live.replies['200'] ?? 0) > 0)
  const gone = /^(503|ECONNREFUSED|ECONNRESET|cut)$/
  t.ok(
    end ? others.every((reply) => gone.test(reply)) : others.length === 0,
    `other answers: ${others.join()}`,
  )
  t.comment(`slowest of ${live.count} probes: ${live.slowest_ms} ms, of a bare server: ${bare.slowest_ms} ms`)
}

t.test(
  'a temporary disk failure is reported, and each acknowledged message is kept',
  { skip: only('sqlite', 'PostgreSQL writes to the disk itself.') },
  async (t) => {
    const folder = await temporaryFolder(t)
    const server = await startFaulty(t, folder)
    const { url } = server
    const alice = await login(t, url, 'alice')
    const socket = await alice.connect()
    const ready = () => call(url, 'GET', '/health/ready')
    let stored = 0

    const recovers = async (t: Test) => {
      server.end()
      t.match(await ready(), { status: 200 }, 'the server recovers by itself')
      await alice.send('alice', content)
      stored += 1
      t.equal(
        (await alice.history('alice', '?limit=1000')).length,
        stored,
        'exactly the acknowledged messages are stored',
      )
    }

    for (const [fault, why] of [
      ['full', /disk is full/],
      ['readonly', /read-only at the moment/],
    ] as const) {
      await t.test(fault, (t) =>
        staysAlive(t, url, async () => {
          server.begin(fault)
          const { reply, sent } = await sendUntilRefused(alice)
          stored += sent
          isUnavailable(t, reply, why)
          isUnavailable(t, await ready(), why)
          t.match(await socket.request({ type: 'send', receiver_username: 'alice', content }), {
            type: 'error',
            retryable: true,
            problem: { code: 'STORAGE_UNAVAILABLE' },
          })
          t.equal((await alice.history('alice', '?limit=1000')).length, stored, 'reads still work')
          await recovers(t)
        }),
      )
    }

    await t.test('locked', (t) =>
      staysAlive(t, url, async () => {
        const other = new Sqlite(join(folder, 'messenger.db'))
        other.exec('begin immediate')
        const { reply } = await sendUntilRefused(alice)
        isUnavailable(t, reply, /another program has locked it/)
        isUnavailable(t, await ready(), /another program has locked it/)
        other.exec('rollback')
        other.close()
        await recovers(t)
      }),
    )

    await t.test('slow: reads and health probes do not wait for the disk', (t) =>
      staysAlive(t, url, async () => {
        server.begin('slow')
        const order: string[] = []
        const sending = alice.send('alice', content).then(() => order.push('stored'))
        await alice.history('alice', '?limit=1')
        order.push('read')
        await sending
        stored += 1
        t.strictSame(order, ['read', 'stored'])
        await recovers(t)
      }),
    )

    await t.test('ids and cursors keep rising when the clock goes back an hour', async (t) => {
      const from = socket.frames.length
      const before = await alice.send('alice', content)
      server.begin('clock')
      const after = await alice.send('alice', content)
      stored += 2
      t.ok(after.timestamp < before.timestamp, 'the clock went back')
      t.ok(after.id > before.id)
      t.match(await alice.call('PATCH', `/messages/${before.id}`, { content: 'edited' }), { status: 200 })
      await socket.wait('message_updated', ({ id }) => id === before.id, from)
      const seen = socket.frames.slice(from).flatMap((frame) => {
        if (frame.type !== 'message' && frame.type !== 'message_updated') return []
        return [{ type: frame.type, id: frame.id, number: numberOf(frame.cursor as string) }]
      })
      const edit = seen.at(-1)?.number ?? 0
      t.match(seen, [
        { type: 'message', id: before.id, number: before.id },
        { type: 'message', id: after.id, number: after.id },
        { type: 'message_updated', id: before.id },
      ])
      t.equal(seen.length, 3)
      t.ok(edit > after.id, 'the edit follows both messages')
      const head = (await alice.call<{ cursor: string }>('GET', '/sync')).body.cursor
      t.equal(numberOf(head), edit)
      await recovers(t)
    })

    await t.test('a second process on the same file reports the conflict and ends', async (t) => {
      await t.rejects(startProcess(t, folder), /in use by another server/)
      t.match(await ready(), { status: 200 })
    })

    await t.test(
      'a failed fsync ends the process, and the next process has each acknowledged message',
      async (t) => {
        const during = async () => {
          server.begin('fsync')
          const reply = await alice.call('POST', '/send', { receiver_username: 'alice', content })
          isUnavailable(t, reply, /server restarts/)
          t.equal((await socket.closed).code, 1001)
          t.match(await server.exited, { code: 1 })
          server.end()
        }
        await staysAlive(t, url, during, true)
        const again = await startProcess(t, folder)
        const { body } = await call<SentMessage[]>(again.url, 'GET', '/history/alice?limit=1000', {
          token: alice.token,
        })
        t.equal(body.length, stored, 'the acknowledged messages and not the refused one')
      },
    )
  },
)

t.test(
  'a file that is not a database is refused with a reason and left unchanged',
  { skip: aboutFile },
  async (t) => {
    const folder = await temporaryFolder(t)
    writeFileSync(join(folder, 'messenger.db'), 'this is no database, '.repeat(1000))
    await t.rejects(startProcess(t, folder), /messenger\.db can't be opened: file is not a database/)
  },
)

t.test(
  'a file that is damaged while it is served ends the process, and no reply contains damaged data',
  { skip: aboutFile },
  async (t) => {
    const folder = await temporaryFolder(t)
    const { url, exited } = await startProcess(t, folder, { RATE_LIMIT_SEND: '0' })
    const alice = await login(t, url, 'alice')
    for (let sent = 0; sent < 20; sent += 1) await alice.send('alice', content)
    const path = join(folder, 'messenger.db')
    new Sqlite(path).exec('pragma wal_checkpoint(truncate)').close()
    const during = async () => {
      // All pages but the first, which identifies the file as a database.
      const [file, damage] = [openSync(path, 'r+'), Buffer.alloc(statSync(path).size - 4096, 0xa5)]
      writeSync(file, damage, 0, damage.length, 4096)
      closeSync(file)
      const reply = await alice.call<Problem>('GET', '/history/alice').catch(() => undefined)
      // The sweep of receipts reads the file every second. If it finds the damage first, the server stops without this reply.
      if (reply && reply.body.code !== 'SHUTTING_DOWN') isUnavailable(t, reply, /server restarts/)
      t.match(await exited, { code: 1 })
    }
    await staysAlive(t, url, during, true)
    await t.rejects(
      startProcess(t, folder),
      /messenger\.db can't be opened: database disk image is malformed/,
    )
  },
)

t.test(
  'a server killed five times under load loses and duplicates no acknowledged message',
  { skip: only('sqlite', 'it checks the file. test/postgres/faults.test.ts kills nodes.') },
  async (t) => {
    const figures = await killUnderLoad(t, {
      folder: await temporaryFolder(t),
      sends: 5000,
      kills: 5,
      senders: 4,
      window: 16,
      deadline: 240,
    })
    t.comment(figures)
    t.match(figures, { kills: 5, sends: 5000 })
    t.strictSame(figures.violations, [])
    for (const ms of figures.starts_ms) t.comment(`ready after ${ms} ms`)
  },
)

t.test(
  'a server stopped under load acknowledges the sends in flight, despite mute sockets and half a request',
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
    const stored = (await rows(folder, 'select client_id from messages order by id')).map(
      ({ client_id }) => client_id,
    )
    t.strictSame(acked, stored, `${acked.length} of ${count} sends are acknowledged, in order`)
  },
)

t.test('a socket above MAX_SOCKETS is refused with a retry hint until another one closes', async (t) => {
  const { url, login } = await startServer(t, { MAX_SOCKETS: '3' })
  const alice = await login('alice')
  const sockets = [await alice.connect(), await alice.connect(), await alice.connect()]
  const connection = await dial(t, url)
  connection.write(handshake(alice.token))
  const answer = (await connection.until((bytes) => bytes.includes('}'))).toString()
  t.match(answer, /^HTTP\/1\.1 503 .*retry-after: \d+.*"code":"OVERLOADED"/is)
  for (const socket of sockets) t.match(await socket.request({ type: 'ping' }), { type: 'pong' })
  t.equal((await alice.send('alice', 'x')).content, 'x')
  await sockets[0]?.close()
  t.match(await (await alice.connect()).request({ type: 'ping' }), { type: 'pong' })
})

t.test('a reader that never reads is disconnected, uses no memory, and resumes without a gap', async (t) => {
  const { violations, ...figures } = await stalledReaders(t, {
    folder: await temporaryFolder(t),
    readers: 3,
    heartbeat_ms: 15_000,
    mebibytes: 90,
    // On SQLite its caches and V8's heap use two thirds of it. On PostgreSQL the heap of one thread uses 200 to 225, whatever is
    // sent. Messages queued for the readers would exceed it.
    most: onPostgres ? 260 : 210,
  })
  t.comment(figures)
  t.strictSame(violations, [])
  t.equal(figures.slow + figures.silent, 3)
})

t.test('a peer that disappears is disconnected after two heartbeats and resumes without a gap', async (t) => {
  const heartbeat = 1000
  const { url } = await startProcess(t, await temporaryFolder(t), { HEARTBEAT_MS: String(heartbeat) })
  const [alice, bob] = [await login(t, url, 'alice'), await login(t, url, 'bob')]
  const proxy = await startProxy(t, url, Math.random, 0)
  proxy.calm()
  const staying = await alice.connect()
  const vanishing = await connect(t, proxy.url, bob.token)
  const cursor = (await vanishing.wait('hello')).cursor
  const closed = async () => (await readMetrics(url))('messenger_sockets_closed_total{code="4408"}')
  const started = performance.now()
  proxy.stall()
  const missed = [(await alice.send('bob', 'one')).id, (await alice.send('bob', 'two')).id]
  // The margin is for a busy machine.
  const most = heartbeat * 2 + 10_000
  const took = () => Math.round(performance.now() - started)
  while ((await closed()) !== 1 && took() < most) await pause(20)
  t.ok(took() < most, `disconnected after ${took()} ms`)
  t.match(await staying.request({ type: 'ping' }), { type: 'pong' }, 'the responding peer stays connected')
  const back = await bob.connect({ cursor })
  await back.wait('caught_up')
  t.strictSame(
    back.frames.flatMap((frame) => (frame.type === 'message' ? [frame.id] : [])),
    missed,
  )
})
