import t from 'tap'
import { openDatabase } from '../../db/open.ts'
import type { Signal } from '../../src/bus/bus.ts'
import { createBus } from '../../src/bus/create-bus.ts'
import { busContract } from '../contract/bus.ts'
import { query } from '../support/postgres.ts'
import { temporaryFolder } from '../support/server.ts'
import { databaseUrl, only } from '../support/test-database.ts'

const skip = only('postgres', 'several processes share the database')

type Node = { end(): Promise<void>; signals: Signal[]; bus: ReturnType<typeof createBus> }

/** Opens a node on the database of a folder, and records what its bus delivers. */
const openNode = async (url: string, onError: (error: unknown) => void): Promise<Node> => {
  const { cluster, close } = await openDatabase(url, { maxQueue: 10, nodeTimeoutMs: 600 })
  const bus = createBus(cluster, onError)
  const signals: Signal[] = []
  bus.subscribe({ batch: () => {}, signal: (signal) => signals.push(signal) })
  bus.join()
  return { bus, signals, end: close }
}

const fail = (error: unknown) => {
  throw error
}

const until = async (condition: () => boolean, step: () => void = () => {}) => {
  while (!condition()) {
    step()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

t.test('the bus follows its contract on PostgreSQL', { skip }, async (t) =>
  busContract(t, async (t, processes, onError) => {
    const url = databaseUrl(await temporaryFolder(t))
    const nodes = await Promise.all(Array.from({ length: processes }, () => openNode(url, onError)))
    for (const { end } of nodes) t.teardown(end)
    return nodes.map(({ bus }) => bus)
  }),
)

t.test('signals between nodes', { skip }, async (t) => {
  const url = databaseUrl(await temporaryFolder(t))
  const [a, b] = [await openNode(url, fail), await openNode(url, fail)]
  t.teardown(a.end)
  t.teardown(b.end)
  const typing = (conversation_id: number, audience: number[]): Signal => ({
    type: 'typing',
    conversation_id,
    user_id: 1,
    username: 'alice',
    audience,
  })
  await until(
    () => b.signals.length > 0,
    () => a.bus.signal(typing(1, [2])),
  )

  t.test('a large audience and many signals exceed no limit of PostgreSQL', async (t) => {
    const audience = Array.from({ length: 3000 }, (_, n) => n + 1_000_000_000)
    a.bus.signal(typing(2, audience))
    for (let n = 0; n < 200; n += 1) a.bus.signal(typing(100 + n, [n]))
    const got = (id: number) =>
      b.signals.flatMap((signal) =>
        signal.type === 'typing' && signal.conversation_id === id ? signal.audience : [],
      )
    await until(() => got(299).length > 0)
    t.strictSame(got(2), audience)
    t.strictSame(
      Array.from({ length: 200 }, (_, n) => got(100 + n)),
      Array.from({ length: 200 }, (_, n) => [n]),
    )
  })

  t.test('a signal that is too long, or one too many, is lost without the others', async (t) => {
    const long: Signal = { ...typing(3, [1]), username: 'x'.repeat(8000) } as Signal
    a.bus.signal(long)
    for (let n = 0; n < 11_000; n += 1) a.bus.signal(typing(4, [n]))
    const count = (id: number) =>
      b.signals.filter((signal) => signal.type === 'typing' && signal.conversation_id === id).length
    await until(() => count(4) >= 9000)
    await until(
      () => count(5) > 0,
      () => a.bus.signal(typing(5, [1])),
    )
    t.equal(count(3), 0)
    t.ok(count(4) < 11_000)
  })

  t.test('signals arrive again after all connections were cut', async (t) => {
    await query(
      url,
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    )
    await until(
      () => b.signals.some((signal) => signal.type === 'typing' && signal.conversation_id === 6),
      () => a.bus.signal(typing(6, [1])),
    )
    t.pass('a signal arrived')
  })
})

t.test('presence', { skip }, async (t) => {
  const url = databaseUrl(await temporaryFolder(t))
  const [a, b] = [await openNode(url, fail), await openNode(url, fail)]
  t.teardown(a.end)
  t.teardown(b.end)
  const set = (user_id: number, online: boolean) =>
    a.bus.signal({ type: 'presence', server: 'a', user_id, username: `user ${user_id}`, online })
  /** @returns the ids of the users whom the signals after index `from` report as online at other nodes */
  const online = ({ signals }: Node, from = 0) => {
    const users = new Set<number>()
    for (const signal of signals.slice(from)) {
      if (signal.type === 'server_ended') users.clear()
      else if (signal.type === 'presence' && signal.online) users.add(signal.user_id)
      else if (signal.type === 'presence') users.delete(signal.user_id)
    }
    return [...users].toSorted((x, y) => x - y)
  }

  t.test('a node that starts later reads from the rows who is online', async (t) => {
    for (const id of [1, 2, 3]) set(id, true)
    set(2, false)
    await until(() => online(b).length === 2)
    const late = await openNode(url, fail)
    await until(() => online(late).length === 2)
    t.strictSame(online(late), [1, 3])
    late.bus.signal({ type: 'presence', server: 'late', user_id: 9, username: 'user 9', online: true })
    // The signal names its server. The row, which arrives later, names the node.
    await until(() =>
      b.signals.some((one) => one.type === 'presence' && one.user_id === 9 && one.server !== 'late'),
    )
    const seen = b.signals.length
    await late.end()
    await until(() => b.signals.slice(seen).some(({ type }) => type === 'server_ended'))
    t.pass('a node that stops is known to have ended')
  })

  t.test('a node writes its online users again after the rows were lost', async (t) => {
    const seen = b.signals.length
    await query(url, 'truncate nodes, presence')
    await until(() => online(b, seen).length === 2)
    t.strictSame(online(b, seen), [1, 3])
  })

  t.test('the rows of users who went offline are deleted later', async (t) => {
    set(3, false)
    for (;;) {
      const rows = await query(url, 'select user_id, online from presence')
      if (rows.length === 1) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    t.strictSame(await query(url, 'select user_id, online from presence'), [{ user_id: 1, online: 1 }])
  })
})
