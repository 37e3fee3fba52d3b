import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import type { Database, WriterOptions } from '../../database.ts'
import type { Epoch } from '../../epochs.ts'
import { checkContent, checkServer, checkSessions, explain } from './checks.ts'
import { createCluster } from './cluster.ts'
import { connect } from './connection.ts'
import { createHead } from './epochs.ts'
import { FIRST, migrate } from './migrations/index.ts'
import { createReader } from './statements.ts'
import { startSweep } from './sweep.ts'
import { createTexts } from './texts.ts'
import { createPostgresWriter } from './writer.ts'

/**
 * Checks and migrates a PostgreSQL database, and opens a connection that writes and a pool of connections that read.
 * @param connections the largest number of connections, at least 2
 */
export const openPostgres = async (
  url: string,
  options: WriterOptions,
  connections: number,
): Promise<Database> => {
  try {
    await check(url)
    await migrate(url)
    const epochs: Epoch[] = []
    const node = randomBytes(9).toString('base64url')
    const writer = await createPostgresWriter(url, node, options, epochs)
    const { reader, pool } = createReader(url, connections - 1)
    const cluster = createCluster(url, pool, node, options.nodeTimeoutMs)
    const endSweep = startSweep(pool)
    let closing: Promise<void> | undefined
    const { promise: broken, resolve } = Promise.withResolvers<Error>()
    writer.on('broken', resolve)
    return {
      reader,
      writer,
      broken,
      epoch: () => (epochs.at(-1) as Epoch).name,
      head: createHead(reader),
      texts: createTexts(pool),
      cluster,
      // There is no control socket: the operator's commands write to the database, as a node does.
      controlPath: undefined,
      figures: () => ({
        ...writer.figures(),
        reading: { open: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount },
      }),
      close() {
        closing ??= (async () => {
          await writer.close()
          await Promise.all([cluster.end(), endSweep()])
          await pool.end()
        })()
        return closing
      },
    }
  } catch (error) {
    throw explain(error, url)
  }
}

/** Checks the database before anything is written to it. */
const check = async (url: string) => {
  const clients = [await connect(url)]
  try {
    const [client] = clients as [pg.Client]
    await checkServer(client)
    await checkContent(client, FIRST)
    clients.push(await connect(url))
    await checkSessions(clients)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
