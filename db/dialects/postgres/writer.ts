import type pg from 'pg'
import type { Figures, WriterOptions } from '../../database.ts'
import type { Epoch } from '../../epochs.ts'
import { StorageError } from '../../errors.ts'
import type { Operation } from '../../operations/index.ts'
import { createPending, type TimedResult } from '../../pending.ts'
import { createCaches } from '../../transaction.ts'
import type { Writer } from '../../writer.ts'
import { InDoubt, runBatch, wasCommitted } from './batch.ts'
import { checkServer } from './checks.ts'
import { connect } from './connection.ts'
import { toStorageError, isConnectionError } from './errors.ts'
import { beginEpoch } from './epochs.ts'
import { CHANNEL, lostCommits, readNews, takeNews } from './feed.ts'
import type { Session } from './session.ts'
import { readColumnTypes } from './sets.ts'

/** The largest number of operations in a commit, and of characters of their JSON. */
const MAX_BATCH = 1024
const MAX_BATCH_CHARACTERS = 8_388_608

/** Milliseconds between two reads of the commits of other nodes if no notification arrives. */
const POLL_MS = 250

/** Milliseconds between two lookups of a commit in doubt, and milliseconds after which no further lookup begins. */
const RETRY_MS = 100
const DOUBT_MS = 10_000

/** The number of times that a batch runs if its connection is lost each time before it is stored. */
const ATTEMPTS = 3

type Waiting = { operation: Operation; characters: number }

/**
 * Creates the writer of one node. It has one connection, which also receives the notifications of other nodes' commits.
 * @param node the name of the node
 * @param epochs receives the epochs of the database, including those that begin later
 */
export const createPostgresWriter = async (
  url: string,
  node: string,
  options: WriterOptions,
  epochs: Epoch[],
): Promise<Writer & { figures(): Omit<Figures, 'reading'> }> => {
  const pending = createPending(options)
  const caches = createCaches()
  const waited = { seconds: 0 }
  let currentAt = performance.now()
  let session: Session | undefined
  let head: Session['head'] | undefined
  let seq = 0
  let queue: Waiting[] = []
  let isRunning = false
  let isScheduled = false
  let isWoken = false
  let isEnded = false

  const open = async (): Promise<Session> => {
    const client = await connect(url)
    try {
      await checkServer(client)
      const types = await readColumnTypes(client)
      const opened = {
        client,
        types,
        node,
        caches,
        waited,
        head: head ?? (await newestHead(client)),
        news: [],
      }
      const all = await beginEpoch(opened)
      const begun = all.slice(epochs.length)
      const isOtherHistory = epochs.some(({ name }, index) => all[index]?.name !== name)
      // An epoch that gives numbers again that this node has seen is another history too.
      if (isOtherHistory || (head && begun.some(({ first }) => first <= opened.head.last)))
        throw lostCommits()
      epochs.push(...begun)
      // PostgreSQL also notifies the node that committed.
      client.on('notification', ({ payload }) => payload !== node && wake())
      await client.query(`listen ${CHANNEL}`)
      /* c8 ignore next -- a race: the writer ends while it connects */
      if (isEnded) throw new StorageError('unreachable', 'The writer has ended.')
      return opened
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
  }

  /**
   * Runs `body` on the connection, which it opens first if there is none. Then publishes the commits of other nodes that were read,
   * also if `body` failed. Closes a lost connection.
   */
  const use = async <T>(body: (session: Session) => Promise<T>): Promise<T> => {
    session ??= await open()
    const used = session
    let result: T
    try {
      result = await body(used)
    } catch (error) {
      /* c8 ignore next -- which statement notices a lost connection is a race */
      if (isConnectionError(error) || error instanceof InDoubt) {
        session = undefined
        used.client.end().catch(() => {})
      }
      throw error
    } finally {
      head = used.head
      for (const batch of used.news.splice(0)) pending.publish(batch)
    }
    currentAt = performance.now()
    return result
  }

  const resolveDoubt = async (doubt: InDoubt): Promise<InDoubt['result'] | undefined> => {
    const end = performance.now() + DOUBT_MS
    for (;;) {
      try {
        return await use(async (open) => {
          if (!(await wasCommitted(open.client, node, doubt.seq))) return undefined
          doubt.settle(open)
          return doubt.result
        })
        /* c8 ignore start -- how long the database is away during a commit is a race */
      } catch (error) {
        const isBroken = error instanceof StorageError && error.kind === 'broken'
        if (isBroken || isEnded || performance.now() > end) throw error
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
      /* c8 ignore stop */
    }
  }

  const run = async (batch: readonly Operation[], attempt = 1): Promise<TimedResult> => {
    const started = performance.now()
    const timed = (result: Omit<TimedResult, 'seconds'>) => ({
      ...result,
      seconds: (performance.now() - started) / 1000,
    })
    seq += 1
    const wasOpen = session !== undefined
    try {
      return timed(await use((open) => runBatch(open, batch, seq)))
    } catch (error) {
      const result = error instanceof InDoubt ? await resolveDoubt(error) : undefined
      if (result) return timed(result)
      // The batch was rolled back with its connection. It does not run again if the connection could not be opened.
      const isLost = error instanceof InDoubt || (wasOpen && isConnectionError(error))
      if (isLost && attempt < ATTEMPTS) return run(batch, attempt + 1)
      throw error
    }
  }

  const takeBatch = (): Operation[] => {
    const batch: Operation[] = []
    let characters = 0
    for (const { operation, characters: size } of queue) {
      if (batch.length === MAX_BATCH || (batch.length > 0 && characters + size > MAX_BATCH_CHARACTERS)) break
      batch.push(operation)
      characters += size
    }
    return batch
  }

  const step = async () => {
    const batch = takeBatch()
    if (batch.length === 0) {
      isWoken = false
      await use(async (open) => takeNews(open, await readNews(open.client, open.head)))
      return
    }
    let result: TimedResult
    try {
      result = await run(batch)
    } catch (cause) {
      const error = toStorageError(cause)
      /* c8 ignore next 3 -- which statement notices a lost connection is a race */
      const last = head?.last ?? 0
      // Without a connection all waiting operations fail: each batch of them would wait for another attempt to connect.
      const failed = session ? batch : queue
      const outcomes = failed.map(() => ({ ok: false as const, error }))
      result = { first: last + 1, last, changes: [], outcomes, seconds: 0 }
    }
    queue = queue.slice(result.outcomes.length)
    pending.settle(result)
  }

  const hasWork = () => (queue.length > 0 || isWoken) && !isEnded

  const loop = async () => {
    if (isRunning) return
    isRunning = true
    while (hasWork()) {
      // The next poll repeats a failed read of the commits of other nodes.
      await step().catch((error) => {
        if (error instanceof StorageError && error.kind === 'broken') pending.fail(error)
      })
    }
    isRunning = false
  }

  const wake = () => {
    isWoken = true
    void loop()
  }

  await use(async () => {})
  const poll = setInterval(wake, POLL_MS)
  poll.unref()

  const end = async () => {
    isEnded = true
    clearInterval(poll)
    await session?.client.end().catch(() => {})
  }
  let closing: Promise<void> | undefined

  return {
    append(name, input, given = {}) {
      return new Promise((resolve, reject) => {
        const text = pending.add(given, () => serialize(name, input), { resolve, reject })
        queue.push({ operation: { name, input } as Operation, characters: text.length })
        if (isScheduled) return
        isScheduled = true
        // Runs after all readable sockets were read, so that their operations share a batch.
        setImmediate(() => {
          isScheduled = false
          void loop()
        })
      })
    },
    on: pending.on,
    get pending() {
      return pending.count
    },
    drain: pending.drain,
    figures: () => ({
      role: session ? 'primary' : 'unreachable',
      lag: (performance.now() - currentAt) / 1000,
      lockWait: waited.seconds,
    }),
    close() {
      closing ??= pending.drain().then(end)
      return closing
    },
    terminate: end,
  }
}

/** @returns the JSON of an operation, whose length counts towards the limits. @throws StorageError `operation` */
const serialize = (name: string, input: unknown): string => {
  try {
    return JSON.stringify(input)
  } catch (cause) {
    throw new StorageError('operation', `The input of ${name} can't be serialized as JSON.`, cause)
  }
}

const newestHead = async (client: pg.Client): Promise<Session['head']> => {
  const { state } = await readNews(client, { last: Number.MAX_SAFE_INTEGER, user_id: 0, conversation_id: 0 })
  return { last: state.last ?? 0, user_id: state.user_id ?? 0, conversation_id: state.conversation_id ?? 0 }
}
