/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { query, startPostgres, withoutPostgres } from '../test/support/postgres.ts'

let server: ReturnType<typeof startPostgres> | undefined
let databases = 0

/** Whether this machine has the binaries of PostgreSQL. */
export const hasPostgres = withoutPostgres === false

/** Creates a database in a PostgreSQL of this process, with fsync, which ends with the process. @returns its URL */
export const newPostgresDatabase = async (): Promise<string> => {
  const { url } = await (server ??= startPostgres())
  databases += 1
  await query(url('postgres'), `create database bench${databases} template template0`)
  return url(`bench${databases}`)
}
