import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import type { Owner } from './process.ts'

/** Listens on a free port of the loopback interface until the test ends. @returns the URL of the server */
export const listen = async (t: Owner, server: Server): Promise<string> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
