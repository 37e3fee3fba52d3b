import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { MovedTable, MoveOptions, Source, SourceTable } from '../../database.ts'
import { StorageError } from '../../errors.ts'
import { withoutPassword } from '../../url.ts'
import { checkServer, explain, findOtherTable, readTables } from './checks.ts'
import { connect } from './connection.ts'
import { isConnectionError } from './errors.ts'
import { FIRST, migrate } from './migrations/index.ts'
import { takeLock } from './session.ts'

/** A chunk of rows in memory ends at this number of rows, or of characters of their JSON. */
const CHUNK_ROWS = 1000
const CHUNK_CHARACTERS = 1_048_576

/** Rows between two reports. */
const REPORT_ROWS = 100_000

/** Values of the columns that SQLite does not have. No database has the incarnation `sqlite`, so the first node begins an epoch. */
const ADDED: Record<string, Record<string, string>> = { epochs: { incarnation: "'sqlite'" } }

/**
 * Copies a database into an empty one, in one transaction, reads it back and compares.
 * @returns the moved tables
 * @throws StorageError `unusable` if the move is refused or fails
 */
export const movePostgres = async (
  source: Source,
  url: string,
  { texts, report }: MoveOptions,
): Promise<MovedTable[]> => {
  const client = await openEmpty(url)
  let isCommitting = false
  try {
    await client.query('begin')
    // The time limit is for nodes that stall. Reading the source from a slow disk may take longer.
    await client.query('set local idle_in_transaction_session_timeout = 0')
    await takeLock(client)
    await refuseRows(client, url)
    const moved: MovedTable[] = []
    for (const table of source.tables) moved.push(await moveTable(client, table, report))
    await moveRest(client, source, texts)
    await client.query('analyze')
    isCommitting = true
    await client.query('commit')
    return moved
  } catch (error) {
    throw failed(error, url, isCommitting)
    /* c8 ignore next -- nothing runs after a throw */
  } finally {
    await client.end().catch(() => {})
  }
}

/** Connects to a database without tables of another program, and creates the tables of this server. */
const openEmpty = async (url: string): Promise<pg.Client> => {
  let client: pg.Client | undefined
  try {
    client = await connect(url, 'migration')
    await checkServer(client)
    const other = await findOtherTable(client, FIRST)
    if (other !== undefined) throw notEmpty(url, `has the table ${other} of another program`)
    await migrate(url)
    return client
  } catch (error) {
    await client?.end().catch(() => {})
    throw explain(error, url)
  }
}

/** Call it under the lock: a node that starts meanwhile then waits before it writes its first row. */
const refuseRows = async (client: pg.Client, url: string) => {
  const { tables } = await readTables(client)
  for (const table of tables) {
    const { rows } = await client.query(`select 1 from "${table}" limit 1`)
    if (rows.length > 0) throw notEmpty(url, `has rows in the table ${table}`)
  }
}

const notEmpty = (url: string, why: string) =>
  new StorageError(
    'unusable',
    `The database ${withoutPassword(url)} is not empty: it ${why}. Move into a new database: createdb NAME.`,
  )

const failed = (error: unknown, url: string, isCommitting: boolean): StorageError => {
  if (error instanceof StorageError) return error
  const { message } = error as Error
  return new StorageError(
    'unusable',
    isCommitting && isConnectionError(error)
      ? `The connection to ${withoutPassword(url)} was lost during the commit: ${message}. Repeat the move: if the database is then not empty, this move was complete.`
      : `The move failed, and ${withoutPassword(url)} is still empty: ${message}`,
    error,
  )
}

const moveTable = async (
  client: pg.Client,
  table: SourceTable,
  report: MoveOptions['report'],
): Promise<MovedTable> => {
  const { name } = table
  const [given, taken] = [createHash('sha256'), createHash('sha256')]
  const sizes: number[] = []
  let rows = 0
  for (const lines of chunksOf(table.rows())) {
    for (const line of lines) given.update(line)
    await client.query(insertionOf(table), [`[${lines.join()}]`])
    if (Math.floor((rows + lines.length) / REPORT_ROWS) > Math.floor(rows / REPORT_ROWS)) {
      report(`${name}: ${rows + lines.length} of ${table.count} rows`)
    }
    rows += lines.length
    sizes.push(lines.length)
  }
  let found = 0
  await client.query(`declare moved no scroll cursor for ${selectionOf(table)}`)
  // Reads chunks of the sizes of the source's, because these fit into memory. The last fetch detects an additional row.
  for (const size of [...sizes, 1]) {
    const chunk = await client.query(`fetch ${size} from moved`)
    for (const row of chunk.rows) taken.update(lineOf(row))
    found += chunk.rows.length
  }
  await client.query('close moved')
  const [digest, copied] = [given.digest('hex'), taken.digest('hex')]
  if (found !== rows || copied !== digest) {
    throw new Error(
      `the table ${name} has ${found} rows of ${rows}, with the digest ${copied}, not ${digest}`,
    )
  }
  report(`${name}: ${rows} rows, SHA-256 ${digest}`)
  return { name, rows, digest }
}

/** Copies the data that PostgreSQL stores in another form: the counters, the next number of an epoch, the texts. */
const moveRest = async (client: pg.Client, { counters, texts }: Source, names: readonly string[]) => {
  const { last, user_id, conversation_id } = counters
  await client.query(
    `insert into commits (last, user_id, conversation_id, node, seq, at) values ($1, $2, $3, 'move', 0, $4)`,
    [last, user_id, conversation_id, Date.now()],
  )
  const { rows } = await client.query('select coalesce(max(number), 0) + 1 as next from epochs')
  // Unlike setval, this is rolled back with the transaction.
  await client.query(`alter table epochs alter column number restart with ${rows[0].next}`)
  for (const name of names) {
    const text = await texts.read(name)
    if (text !== undefined)
      await client.query('insert into settings (name, value) values ($1, $2)', [name, text])
  }
}

function* chunksOf(rows: Iterable<object>): Generator<string[]> {
  let lines: string[] = []
  let characters = 0
  for (const row of rows) {
    const line = lineOf(row)
    lines.push(line)
    characters += line.length
    if (lines.length === CHUNK_ROWS || characters >= CHUNK_CHARACTERS) {
      yield lines
      lines = []
      characters = 0
    }
  }
  if (lines.length > 0) yield lines
}

/** The JSON of a row, which is sent and hashed. Both databases return the columns in the same order. */
const lineOf = (row: object): string => JSON.stringify(row)

const insertionOf = ({ name, columns }: SourceTable): string => {
  const listed = columns.map((column) => `"${column.name}"`)
  const added = Object.entries(ADDED[name] ?? {})
  const targets = [...listed, ...added.map(([column]) => column)].join()
  const values = [...listed, ...added.map(([, value]) => value)].join()
  return `insert into "${name}" (${targets}) overriding system value select ${values} from json_populate_recordset(null::"${name}", $1)`
}

const selectionOf = ({ name, columns, key }: SourceTable): string => {
  const listed = columns.map(({ name: column, type }) =>
    type === 'blob' ? `'\\x' || encode("${column}", 'hex') as "${column}"` : `"${column}"`,
  )
  const order = key.map(({ name: column, type }) => `"${column}"${type === 'text' ? ' collate "C"' : ''}`)
  return `select ${listed.join()} from "${name}" order by ${order.join()}`
}
