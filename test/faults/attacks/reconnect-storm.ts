import { setTimeout as pause } from 'node:timers/promises'
import type { Socket } from 'node:net'
import { get, postHead } from '../../../bench/load/http.ts'
import { handshake } from '../../support/frames.ts'
import { openTcp } from '../../support/raw.ts'
import { type Attack, names, type Target } from './attack.ts'
import { Connection, openInSteps } from './connection.ts'

const USERS = names('user', 100)

type Device = { token: string; cursor: string }

/** All sockets are connected first, and send their handshakes in one turn. */
export const reconnectStorm: Attack = {
  name: 'reconnect-storm',
  title:
    '3,000 sockets of 100 users that reconnect with their cursors in one turn, each with one missed message',
  users: USERS,
  mebibytes: 400,
  async run(target) {
    const connection = await Connection.open(target)
    const users: Device[] = []
    for (const name of USERS) {
      const token = target.tokens[name] as string
      const { cursor } = JSON.parse((await connection.request(get('/sync', token))).body) as {
        cursor: string
      }
      const body = JSON.stringify({ receiver_username: name, content: 'missed' })
      await connection.request(postHead('/send', token, body.length) + body)
      users.push({ token, cursor })
    }
    connection.close()
    const devices = Array.from({ length: target.scaled(3000) }, (_, index) => {
      return users[index % users.length] as Device
    })
    const sockets = await openInSteps(devices.length, () => openTcp(target.port))
    const started = performance.now()
    const back = await Promise.all(
      sockets.map((socket, index) => catchUp(target, socket, devices[index] as Device)),
    )
    const wrong = back.filter((missed) => missed !== 1).length
    if (wrong > 0)
      target.violation(`${wrong} of ${devices.length} sockets did not receive exactly the missed message`)
    target.note(`the last had caught up after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  },
}

const count = (target: Target, reply: string) => {
  target.replies[reply] = (target.replies[reply] ?? 0) + 1
}

/** Reconnects after each hint until the server accepts the socket. @returns the number of replayed messages */
const catchUp = async (target: Target, first: Socket, { token, cursor }: Device): Promise<number> => {
  for (let socket = first; ; socket = await openTcp(target.port)) {
    socket.write(handshake(token, `?cursor=${cursor}`))
    const text = await readUntilCaughtUp(socket)
    const status = text.slice(9, 12)
    const hint = Number(/\r\nretry-after: (\d+)/i.exec(text)?.[1] ?? 0)
    if (status !== '503' || hint === 0) {
      count(target, text === '' ? 'cut' : status === '101' ? status : `malformed ${status}`)
      return text.split('"content":"missed"').length - 1
    }
    count(target, '503 OVERLOADED')
    socket.destroy()
    await pause(hint * 1000 * (1 + Math.random()))
  }
}

/** Server frames are not masked, so their bytes can be searched as text. */
const readUntilCaughtUp = (socket: Socket) =>
  new Promise<string>((resolve) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const isRefused = !text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n')
      if (isRefused || text.includes('"type":"caught_up"')) resolve(text)
    })
    socket.on('close', () => resolve(text))
  })
