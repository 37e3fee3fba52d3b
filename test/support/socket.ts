import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { Problem } from '../../schemas/problem.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { checkFrame, isKnownClose } from './documents.ts'
import { type HandshakeOptions, openWebSocket } from './web-socket.ts'

export type SocketOptions = HandshakeOptions & {
  /** Without a subprotocol: the first contract. */
  plain?: boolean
}

type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>

/**
 * Opens a real socket that keeps every frame and checks it against its document. `next` takes frames in order. `wait` finds
 * one by type and leaves the others. Both wait without a time limit: a missing frame ends the test by its own timeout.
 */
export const connect = async (t: Test, url: string, token: string, options: SocketOptions = {}) => {
  const { plain = false, protocols = plain ? [] : ['messenger.v1'] } = options
  const socket = openWebSocket(url, token, { ...options, protocols })
  t.teardown(() => socket.terminate())
  const frames: ServerFrame[] = []
  let taken = 0
  const waiting: (() => void)[] = []
  const notify = () => {
    for (const wake of waiting.splice(0)) wake()
  }
  let ended = false
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      if (!isKnownClose(code)) t.fail(`the close code ${code} is not in docs/asyncapi.json`)
      ended = true
      notify()
      resolve({ code, reason: reason.toString() })
    })
  })
  socket.on('message', (data: Buffer) => {
    const frame = JSON.parse(data.toString()) as ServerFrame
    const wrong = checkFrame(frame, socket.protocol === '')
    if (wrong) t.fail(wrong)
    frames.push(frame)
    notify()
  })
  socket.on('error', () => {})
  const [event] = await Promise.race([
    once(socket, 'open').then(() => ['open'] as const),
    closed.then(() => ['closed'] as const),
  ])
  if (event === 'closed') throw new Error('The handshake was refused.')

  const change = async (what: string) => {
    if (ended) throw new Error(`The socket was closed before it received ${what}.`)
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  const client = {
    socket,
    /** All frames since the handshake. */
    frames,
    closed,
    send: (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    /** @returns the next frame that `next` has not returned yet. */
    async next(): Promise<ServerFrame> {
      while (taken >= frames.length) await change('a frame')
      taken += 1
      return frames[taken - 1] as ServerFrame
    },
    /** @returns the first matching frame of this type, from index `from` of `frames`. */
    async wait<T extends ServerFrame['type']>(
      type: T,
      matches: (frame: FrameOf<T>) => boolean = () => true,
      from = 0,
    ): Promise<FrameOf<T>> {
      for (;;) {
        const found = frames.slice(from).find((frame) => frame.type === type && matches(frame as FrameOf<T>))
        if (found) return found as FrameOf<T>
        await change(`a ${type}`)
      }
    },
    /** Sends a frame with a new `id`. @returns its `ack`, `error` or `pong` */
    async request(frame: Record<string, unknown>) {
      requests += 1
      const id = `request-${requests}`
      client.send({ id, ...frame })
      for (;;) {
        const found = frames.find(
          (reply) => 'id' in reply && (reply.id as unknown) === id && replyTypes.has(reply.type),
        )
        if (found) return found as FrameOf<'ack' | 'error' | 'pong'>
        await change(`the reply to ${id}`)
      }
    },
    /** Waits until all frames queued for this socket have arrived. Sends without a reply yet are not awaited. */
    settle: () => client.request({ type: 'ping' }),
    async close() {
      socket.close()
      await closed
    },
  }
  if (!plain && protocols.includes('messenger.v1')) await client.wait('hello')
  return client
}
export type TestSocket = Awaited<ReturnType<typeof connect>>

/** @returns the status, headers and problem of a refused handshake. */
export const refusedHandshake = async (
  url: string,
  headers: Record<string, string>,
  protocols: string[] = [],
) => {
  const socket = new WebSocket(url, protocols, { headers })
  socket.on('error', () => {})
  const [, reply] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of reply) text += chunk
  return { status: reply.statusCode, headers: reply.headers, body: JSON.parse(text) as Problem }
}

let requests = 0
const replyTypes = new Set(['ack', 'error', 'pong'])
