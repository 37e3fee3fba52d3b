import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { Session } from '../../schemas/account.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { type Owner, startProcess } from '../support/process.ts'
import { call, logIn } from '../support/server.ts'
import { openWebSocket } from '../support/web-socket.ts'
import { type BystanderFigures, bystanderViolations } from './bystander-figures.ts'
import { startHelper } from './fork.ts'

type Device = { session: Session; cursor: string | undefined; missed: number[] }

const open = (url: string, { session, cursor }: Device) => openWebSocket(url, session.token, { cursor })

/**
 * Opens many sockets, kills the server, sends each user a message, and reconnects all sockets at once with their cursors while a
 * bystander sends messages.
 * @param deadline seconds within which the last socket must catch up
 * @returns the time to the last replay, the figures of the bystander, and a violation unless each socket received exactly the
 * missed message
 */
export const reconnectAtOnce = async (owner: Owner, folder: string, count: number, deadline: number) => {
  const env = { MAX_SOCKETS_PER_USER: '100000', RATE_LIMIT_LOGIN: '0', RATE_LIMIT_SEND: '0' }
  const users = 100
  let server = await startProcess(owner, folder, env)
  const sessions: Session[] = []
  for (let index = 0; index < users; index += 1) {
    sessions.push(await logIn(server.url, `user-${index}`))
  }
  const devices = Array.from({ length: count }, (_, index): Device => {
    return { session: sessions[index % users] as Session, cursor: undefined, missed: [] }
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
  const other = await logIn(server.url, 'bystander')
  const watching = await startHelper<string, BystanderFigures>(owner, 'bystander.ts', {
    url: server.url,
    token: other.token,
    name: other.user.username,
    interval_ms: 50,
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
  const violations =
    wrong > 0 ? [`${wrong} of ${count} sockets did not receive exactly the missed message`] : []
  violations.push(...bystanderViolations(bystander))
  return { sockets: count, seconds: Number(seconds.toFixed(1)), bystander, violations }
}

/** Reconnects until the server accepts the socket, and reads until it has caught up. @returns undefined after `end` */
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
    await pause(200 + Math.random() * 800)
  }
  return undefined
}
