import { postHead } from '../../../bench/load/http.ts'
import { type Attack, pause, type Target } from './attack.ts'
import { completeAtOnce, Connection } from './connection.ts'

const MIB = 1_048_576

/** @returns a request of which the body takes long to parse: each of its many objects is checked for forbidden members. */
const requestOf = (path: string, token: string, bytes: number) => {
  const open = '{"username":"q","x":[{}'
  const body = `${open}${',{}'.repeat((bytes - open.length - 2) / 3)}]}`
  return Buffer.from(postHead(path, token, body.length) + body)
}

/** The server reads the body before it looks at the token, which is none. */
const login = requestOf('/login', 'none', MIB)

/** Bodies of 1 MiB from clients without a token, complete at the same time. */
export const createBodies = (count: number): Attack => ({
  name: `bodies-${count}`,
  title: `${count} \`POST /login\` of 1 MiB, completed in one turn, without a token`,
  mebibytes: 400,
  run: (target) => completeAtOnce(target, target.scaled(count), login),
})

/** Whatever a route takes at most: as many of these as make 100 MiB. */
export const largestBodies: Attack = {
  name: 'largest-bodies',
  title:
    '100 MiB of the largest bodies that each route reads, 1,000 at most, completed in one turn, with a token',
  people: ['attacker'],
  mebibytes: 400,
  async run(target) {
    const token = target.tokens.attacker as string
    for (const path of ['/login', '/send', '/groups']) {
      const bytes = await largestBody(target, path, token)
      const count = target.scaled(Math.min(1000, Math.floor((100 * MIB) / bytes)))
      await completeAtOnce(target, count, requestOf(path, token, bytes))
      target.note(`${path} ${count} of ${bytes / 1024} KiB`)
    }
  },
}

/** @returns bytes of the largest body, of those that each have half of the one before, that is read. */
const largestBody = async (target: Target, path: string, token: string) => {
  for (let bytes = MIB; bytes > 1024; bytes /= 2) {
    const connection = await Connection.open(target)
    const { status } = await connection.ask(requestOf(path, token, bytes))
    connection.close()
    if (status > 0 && status !== 413) return bytes
  }
  return 1024
}

/** Bodies of which the last byte never comes. */
export const unfinishedBodies: Attack = {
  name: 'unfinished-bodies',
  title: '1,500 bodies of 1 MiB that lack the last byte, without a token',
  mebibytes: 300,
  async run(target) {
    const connections = await Connection.openMany(target, target.scaled(1500))
    for (const connection of connections) void connection.ask(login.subarray(0, -1))
    await pause(target.span)
    for (const connection of connections) connection.abandon()
  },
}
