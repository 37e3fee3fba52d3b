import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { begin } from './fork.ts'

/** A server without work. The time of its replies is the delay of the machine. */
const server = createServer((_request, reply) => reply.end('{"status":"ok"}')).listen(0, '127.0.0.1')
await once(server, 'listening')
const end = await begin((server.address() as AddressInfo).port)
end('stopped')
