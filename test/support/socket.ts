import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import type { Problem } from '../../schemas/problem.ts'
import type { ServerFrame } from '../../schemas/server-frames.ts'
import { checkFrame, isKnownClose } from './documents.ts'

export type SocketOptions = {
  /** Without a subprotocol: the first contract. */
  plain?: boolean
  cursor?: string | undefined
  headers?: Record<string, string>
  protocols?: string[]
}

type FrameOf<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>

/**
 * A real socket that keeps every frame. `next` takes them in order; `wait` finds one of a type and leaves the others.
 * Nothing waits for time: a test that misses a frame ends by its own timeout.
 */
export const connect = async (t: Test, url: string, token: string, options: SocketOptions = {}) => {
  const { plain = false, cursor, headers = {}, protocols = plain ? [] : ['messenger.v1'] } = options
  const query = cursor === undefined ? '' : `?cursor=${encodeURIComponent(cursor)}`
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws${query}`, protocols, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  })
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
  if (event === 'closed') throw new Error('the handshake was refused')

  const change = async (what: string) => {
    if (ended) throw new Error(`the socket was closed while it waited for ${what}`)
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  const client = {
    socket,
    /** All frames since the socket was opened. */
    frames,
    closed,
    send: (frame: unknown) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
    /** @returns the next frame that was not taken yet. */
    async next(): Promise<ServerFrame> {
      while (taken >= frames.length) await change('a frame')
      taken += 1
      return frames[taken - 1] as ServerFrame
    },
    /** @returns the first frame of this type from `from` on (an index of `frames`) that fits. */
    async wait<T extends ServerFrame['type']>(
      type: T,
      fits: (frame: FrameOf<T>) => boolean = () => true,
      from = 0,
    ): Promise<FrameOf<T>> {
      for (;;) {
        const found = frames.slice(from).find((frame) => frame.type === type && fits(frame as FrameOf<T>))
        if (found) return found as FrameOf<T>
        await change(`a ${type}`)
      }
    },
    /** Sends a frame under an `id` of its own. @returns its `ack`, `error` or `pong`. */
    async ask(frame: Record<string, unknown>) {
      asked += 1
      const id = `ask-${asked}`
      client.send({ id, ...frame })
      for (;;) {
        const found = frames.find(
          (reply) => 'id' in reply && (reply.id as unknown) === id && answers.has(reply.type),
        )
        if (found) return found as FrameOf<'ack' | 'error' | 'pong'>
        await change(`the answer to ${id}`)
      }
    },
    /** Waits until everything is here that the server had for this socket; a send that it has yet to answer is not. */
    settle: () => client.ask({ type: 'ping' }),
    async close() {
      socket.close()
      await closed
    },
  }
  if (!plain && protocols.includes('messenger.v1')) await client.wait('hello')
  return client
}
export type TestSocket = Awaited<ReturnType<typeof connect>>

/** @returns how the server refused to open a socket: status, headers and problem. */
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

let asked = 0
const answers = new Set(['ack', 'error', 'pong'])
