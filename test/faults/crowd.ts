import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { type Owner, startProcess } from '../support/process.ts'
import { call } from '../support/server.ts'
import type { Seen } from './bystander.ts'
import { startHelper } from './fork.ts'

type Device = { session: Session; cursor: string; missed: number[] }

const open = (url: string, { session, cursor }: Device) =>
  new WebSocket(`${url.replace('http', 'ws')}/ws${cursor && `?cursor=${cursor}`}`, ['messenger.v1'], {
    headers: { authorization: `Bearer ${session.token}` },
  })

/**
 * Opens many sockets, kills the server, sends each person a message, and has all come back at once with their cursors,
 * while a bystander goes on talking.
 * @param deadline seconds in which the last must have caught up
 * @returns how long that took, how many had not just what they missed, once, and how the bystander fared
 */
export const reconnectAtOnce = async (owner: Owner, folder: string, count: number, deadline: number) => {
  const env = { MAX_SOCKETS_PER_USER: '100000', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_SEND: '0' }
  const people = 100
  let server = await startProcess(owner, folder, env)
  const sessions: Session[] = []
  for (let index = 0; index < people; index += 1) {
    const { body } = await call<Session>(server.url, 'POST', '/login', {
      body: { username: `person-${index}` },
    })
    sessions.push(body)
  }
  const devices = Array.from({ length: count }, (_, index): Device => {
    return { session: sessions[index % people] as Session, cursor: '', missed: [] }
  })
  const connected: WebSocket[] = []
  for (const device of devices) {
    const socket = open(server.url, device)
    const [hello] = (await once(socket, 'message')) as [Buffer]
    device.cursor = (JSON.parse(hello.toString()) as { cursor: string }).cursor
    socket.on('error', () => {})
    connected.push(socket)
  }
  server.child.kill('SIGKILL')
  await server.exited
  server = await startProcess(owner, folder, env)
  for (const { token, user } of sessions) {
    const body = { receiver_username: user.username, content: 'missed' }
    await call(server.url, 'POST', '/send', { token, body })
  }
  const { body: other } = await call<Session>(server.url, 'POST', '/login', {
    body: { username: 'bystander' },
  })
  const watching = await startHelper<string, Seen>(owner, 'bystander.ts', {
    url: server.url,
    token: other.token,
    name: other.user.username,
    each_ms: 50,
    key: 'message',
  })
  const started = performance.now()
  const end = AbortSignal.timeout(deadline * 1000)
  const back = await Promise.all(devices.map((device) => catchUp(server.url, device, end)))
  const seconds = (performance.now() - started) / 1000
  const bystander = await watching.stop()
  const wrong = devices.filter(({ missed }, index) => missed.length !== 1 || !back[index]).length
  for (const socket of back) socket?.terminate()
  server.child.kill('SIGTERM')
  await server.exited
  const violations = wrong > 0 ? [`${wrong} of ${count} had not just what they missed, once`] : []
  const { sent, answered, received } = bystander
  violations.push(...bystander.wrong)
  if (answered < sent || received < sent) {
    violations.push(`of ${sent} messages of a bystander ${answered} were answered, ${received} received`)
  }
  return { sockets: count, seconds: Number(seconds.toFixed(1)), bystander, violations }
}

/** Comes back until it is let in, and reads until it has caught up. @returns nothing when it is ended before */
const catchUp = async (url: string, device: Device, end: AbortSignal): Promise<WebSocket | undefined> => {
  while (!end.aborted) {
    const socket = open(url, device)
    const caughtUp = await new Promise<boolean>((resolve) => {
      socket.on('error', () => {})
      socket.on('close', () => resolve(false))
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as ServerFrame
        if (frame.type === 'message') {
          device.missed.push(frame.id)
          device.cursor = frame.cursor as string
        }
        if (frame.type === 'caught_up') resolve(true)
      })
      end.addEventListener('abort', () => resolve(false))
    })
    if (caughtUp) return socket
    socket.terminate()
    await new Promise((resolve) => setTimeout(resolve, 200 + Math.random() * 800))
  }
  return undefined
}
