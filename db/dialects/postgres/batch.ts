import type pg from 'pg'
import { AppError } from '../../../src/errors.ts'
import { StorageError } from '../../errors.ts'
import { type Operation, operations } from '../../operations/index.ts'
import type { BatchResult, Outcome } from '../../pending.ts'
import type { Statements } from '../../query.ts'
import { Transaction } from '../../transaction.ts'
import { sendTogether } from './connection.ts'
import { isConnectionError, toStorageError } from './errors.ts'
import { insertFeed, readNews, takeNews } from './feed.ts'
import { NotLoaded, Rows, type Run } from './rows.ts'
import { all, type Session, takeLock } from './session.ts'
import { read, write } from './sets.ts'

/** The largest weight of a transaction, as in SQLite: about 15 ms of work. */
const MAX_WEIGHT = 4096

/**
 * An operation failed, and the transaction was rolled back. `index` is the position of the operation in the batch. If PostgreSQL
 * refused a statement for several operations, `index` is a guess: the middle of the batch.
 */
class OperationFailed extends Error {
  readonly index: number
  constructor(index: number, cause: unknown) {
    super((cause as Error).message, { cause })
    this.index = index
  }
}

/** The connection was lost between the commit and its answer: the batch is stored as a whole, or not at all. */
export class InDoubt extends Error {
  readonly seq: number
  readonly result: BatchResult
  /** Applies the result to the session that continues. Call it if the batch was stored. */
  readonly settle: (session: Session) => void
  constructor(seq: number, result: BatchResult, settle: InDoubt['settle'], cause: unknown) {
    super('The connection was lost during a commit.', { cause })
    this.seq = seq
    this.result = result
    this.settle = settle
  }
}

/**
 * Runs one transaction with the first operations of a batch, at least one.
 *
 * The first round trip takes the lock, reads the commits of other nodes, and reads the rows that the operations are known to need.
 * The operations then run on these rows in memory. The second round trip stores their writes and commits. An operation that needs
 * other rows, or rows that an earlier operation wrote, costs an additional round trip.
 * @param seq counts the transactions of this node
 * @throws InDoubt; StorageError or an error of the `pg` library if the whole batch failed and nothing was stored
 */
export const runBatch = async (
  session: Session,
  batch: readonly Operation[],
  seq: number,
): Promise<BatchResult> => {
  try {
    return await runTransaction(session, batch, seq)
  } catch (error) {
    if (!(error instanceof OperationFailed)) throw error
    // The operations before it run again without it. It is then the first operation of the next batch.
    if (error.index > 0) return runBatch(session, batch.slice(0, error.index), seq)
    const cause = toStorageError(error.cause)
    const failure = new StorageError('operation', cause.message, cause.cause)
    const { last } = session.head
    return { first: last + 1, last, changes: [], outcomes: [{ ok: false, error: failure }] }
  }
}

const runTransaction = async (
  session: Session,
  batch: readonly Operation[],
  seq: number,
): Promise<BatchResult> => {
  const { client, caches } = session
  const rows = new Rows()
  // The time of the database is not known yet. A wrong one costs at most another round trip.
  explore(new Transaction(exploring(rows), caches, session.head, Date.now()), batch)
  const expected = rows.takeMissing()
  try {
    sendTogether(client)
    const [, , found, loaded] = await all([
      client.query('begin'),
      // A separate statement: the snapshot of a larger one would be older than the lock.
      waitForLock(session),
      readNews(client, session.head),
      read(client, expected),
    ])
    const now = takeNews(session, found)
    // These rows were read under the lock, so they are current.
    for (const [index, run] of expected.entries()) rows.load(run, loaded[index] as unknown[])
    const tx = new Transaction(rows, caches, session.head, now)
    const outcomes = await runOperations(session, rows, tx, batch)
    const result = { first: session.head.last + 1, last: tx.last, changes: tx.changes, outcomes }
    if (rows.hasWritten || tx.last >= result.first) await commit(session, rows.takeWrites(), tx, seq, result)
    else {
      // Every operation was refused or was a repeat, so there is nothing to store.
      await client.query('rollback')
      tx.committed()
    }
    return result
  } catch (error) {
    if (error instanceof InDoubt || (!(error instanceof OperationFailed) && isConnectionError(error)))
      throw error
    await client.query('rollback').catch(() => {})
    // PostgreSQL does not say which of the rows of a statement it refused.
    const isOfOperation = !(error instanceof OperationFailed) && toStorageError(error).kind === 'operation'
    throw isOfOperation ? new OperationFailed(Math.floor(batch.length / 2), error) : error
  }
}

const waitForLock = async ({ client, waited }: Session) => {
  const asked = performance.now()
  await takeLock(client)
  waited.seconds += (performance.now() - asked) / 1000
}

/** Weight (see Transaction) of a round trip under the lock: 64 of them fill a transaction, in 15 to 30 ms. */
const ROUND_TRIP = 64

/**
 * The largest average number of explorations per operation. An operation that finds nothing in the caches looks up five rows, one
 * after the other. Bounds the work where each operation needs a round trip of its own.
 */
const EXPLORATIONS = 16

/** Runs the operations in order, as many as fit into a transaction. Loads what they turn out to need. */
const runOperations = async (
  { client, types, caches }: Session,
  rows: Rows,
  tx: Transaction,
  batch: readonly Operation[],
): Promise<Outcome[]> => {
  const outcomes: Outcome[] = []
  let explorations = EXPLORATIONS * batch.length
  while (outcomes.length < batch.length && (tx.weight < MAX_WEIGHT || outcomes.length === 0)) {
    const index = outcomes.length
    const outcome = runOperation(tx, index, batch[index] as Operation)
    if (outcome) {
      outcomes.push(outcome)
      continue
    }
    // Explores the operations after it too, so that their rows are loaded in the same round trip.
    const next = batch.slice(index + 1, index + 1 + explorations)
    explorations -= next.length
    explore(new Transaction(exploring(rows), caches, tx.counters, tx.now), next)
    tx.weight += ROUND_TRIP
    const missing = rows.takeMissing()
    const [, loaded] = await all([write(client, rows.takeWrites(), types), read(client, missing)])
    for (const [place, run] of missing.entries()) rows.load(run, loaded[place] as unknown[])
  }
  return outcomes
}

/** @returns undefined if the operation needs rows that are not loaded. It has then changed nothing. */
const runOperation = (tx: Transaction, index: number, operation: Operation): Outcome | undefined => {
  const numbered = tx.last
  tx.begin(index)
  try {
    return { ok: true, value: operations[operation.name](tx, operation.input as never) }
  } catch (error) {
    if (error instanceof NotLoaded) return undefined
    if (error instanceof AppError && tx.last === numbered) return { ok: false, error }
    throw new OperationFailed(index, error)
  }
}

class FirstWrite extends Error {}

/** Reads from `rows`, which records what is missing, and ends the operation at its first write. */
const exploring = (rows: Rows): Statements => {
  const end = () => {
    throw new FirstWrite()
  }
  return {
    all: (query, args) => rows.all(query, args),
    get: (query, args) => rows.get(query, args),
    run: end,
    insertNew(_insert, existing, args) {
      rows.get(existing, args)
      return end()
    },
  }
}

/** Runs operations up to their first write, to learn which rows they read. Ignores how they end. */
const explore = (tx: Transaction, batch: readonly Operation[]) => {
  for (const [index, { name, input }] of batch.entries()) {
    tx.begin(index)
    try {
      operations[name](tx, input as never)
    } catch {}
  }
}

const commit = async (
  session: Session,
  writes: readonly Run[],
  tx: Transaction,
  seq: number,
  result: BatchResult,
): Promise<void> => {
  const { client, types, node, head } = session
  const { last, user_id, conversation_id } = tx.counters
  const settle = (open: Session) => {
    open.head = { ...tx.counters }
    tx.committed()
  }
  try {
    sendTogether(client)
    const [, , , { command }] = await all([
      write(client, writes, types),
      client.query({
        name: 'commit',
        text: 'insert into commits (last, user_id, conversation_id, node, seq, at) values ($1, $2, $3, $4, $5, $6)',
        values: [last, user_id, conversation_id, node, seq, tx.now],
      }),
      last > head.last ? insertFeed(session, result, tx.now) : undefined,
      client.query('commit'),
    ])
    // PostgreSQL answers the commit of an aborted transaction with `ROLLBACK`.
    if (command !== 'COMMIT') throw new StorageError('busy', 'The transaction was rolled back.')
  } catch (error) {
    throw isConnectionError(error) ? new InDoubt(seq, result, settle, error) : error
  }
  settle(session)
}

/**
 * @returns whether the transaction `seq` of this node was committed. Takes the lock, so it waits until the connection of
 * that transaction has ended.
 */
export const wasCommitted = async (client: pg.Client, node: string, seq: number): Promise<boolean> => {
  await client.query('begin')
  try {
    await takeLock(client)
    const { rows } = await client.query('select 1 from commits where node = $1 and seq = $2', [node, seq])
    return rows.length > 0
  } finally {
    await client.query('rollback')
  }
}
