import { setTimeout as pause } from 'node:timers/promises'
import type { Attack } from './attack.ts'
import { Connection } from './connection.ts'

const upgrade =
  'HEAD /ws HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

/** The connections stay open, so that an unanswered request delays the stop. */
export const headUpgrade: Attack = {
  name: 'head-upgrade',
  title: '20 `HEAD /ws` with the headers of an upgrade, half of them with a token',
  users: ['attacker'],
  mebibytes: 100,
  async run(target) {
    const connections = await Connection.openMany(target, 20)
    const answered = connections.map((connection, index) =>
      connection.request(
        `${upgrade}${index % 2 ? `Authorization: Bearer ${target.tokens.attacker}\r\n` : ''}\r\n`,
        true,
      ),
    )
    await Promise.race([Promise.all(answered), pause(3000)])
    for (const connection of connections) connection.giveUp()
  },
}
