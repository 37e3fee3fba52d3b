import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { get, postHead } from '../../../bench/load/http.ts'
import { type Attack, names, pause, type Target } from './attack.ts'
import { Connection } from './connection.ts'

const PEOPLE = names('person', 100)

type Device = { token: string; cursor: string }

/** All have connected, and send their upgrades in one turn. */
export const reconnectStorm: Attack = {
  name: 'reconnect-storm',
  title:
    '3,000 sockets of 100 users that come back with their cursors in one turn, each with one message to get',
  people: PEOPLE,
  mebibytes: 400,
  async run(target) {
    const connection = await Connection.open(target)
    const people: Device[] = []
    for (const name of PEOPLE) {
      const token = target.tokens[name] as string
      const { cursor } = JSON.parse((await connection.ask(get('/sync', token))).body) as { cursor: string }
      const body = JSON.stringify({ receiver_username: name, content: 'missed' })
      await connection.ask(postHead('/send', token, body.length) + body)
      people.push({ token, cursor })
    }
    connection.close()
    const devices = Array.from({ length: target.scaled(3000) }, (_, index) => {
      return people[index % people.length] as Device
    })
    const sockets: Socket[] = []
    while (sockets.length < devices.length) {
      const step = Math.min(64, devices.length - sockets.length)
      sockets.push(...(await Promise.all(Array.from({ length: step }, () => dial(target)))))
    }
    const started = performance.now()
    const back = await Promise.all(
      sockets.map((socket, index) => catchUp(target, socket, devices[index] as Device)),
    )
    const wrong = back.filter((missed) => missed !== 1).length
    if (wrong > 0) target.wrong(`${wrong} of ${devices.length} sockets had not the one message, once`)
    target.note(`the last had caught up after ${((performance.now() - started) / 1000).toFixed(1)} s`)
  },
}

const dial = async ({ port }: Target): Promise<Socket> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

const count = (target: Target, answer: string) => {
  target.answers[answer] = (target.answers[answer] ?? 0) + 1
}

/** Comes back until it is let in, after each hint. @returns how many messages came before it had caught up */
const catchUp = async (target: Target, first: Socket, { token, cursor }: Device): Promise<number> => {
  for (let socket = first; ; socket = await dial(target)) {
    socket.write(
      `GET /ws?cursor=${cursor} HTTP/1.1\r\nHost: load\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: messenger.v1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    )
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

/** The frames of a server are not masked: as text they can be searched. */
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
