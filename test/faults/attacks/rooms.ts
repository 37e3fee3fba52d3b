import { postHead } from '../../../bench/load/http.ts'
import { residentBytes } from '../memory.ts'
import { type Attack, names } from './attack.ts'
import { Connection } from './connection.ts'

const GROUP = 256
const SENDERS = names('sender', 4)

/** The server caches each group that receives a message. */
export const rooms: Attack = {
  name: 'rooms',
  title: 'one message into each of 2,000 groups of 256',
  users: SENDERS,
  fill(fill, scaled) {
    const users = [...SENDERS, ...names('user', GROUP - SENDERS.length)].map((name) => fill.user(name))
    return Array.from({ length: scaled(2000) }, () => fill.group(users))
  },
  mebibytes: 200,
  async run(target) {
    const groups = target.filled as number[]
    const connections = await Connection.openMany(target, SENDERS.length)
    /** The first groups also allocate shared memory, so they are not measured. */
    const warm = Math.ceil(groups.length / 10)
    const touch = async (from: number, to: number) => {
      let next = from
      await Promise.all(
        connections.map(async (connection, index) => {
          const token = target.tokens[SENDERS[index] as string] as string
          while (next < to) {
            const body = JSON.stringify({ conversation_id: groups[next++], content: 'hello' })
            const { status } = await connection.request(postHead('/send', token, body.length) + body)
            if (status === 0) return
          }
        }),
      )
    }
    await touch(0, warm)
    const before = residentBytes(target.pid)
    await touch(warm, groups.length)
    const after = residentBytes(target.pid)
    if (after > 0 && groups.length > warm) {
      target.note(`${Math.round((after - before) / 1024 / (groups.length - warm))} KiB a group`)
    }
    for (const connection of connections) connection.close()
  },
}
