import { parse } from 'secure-json-parse'
import type { ClientFrames } from '../../schemas/client-frames.ts'
import { asAppError } from '../chat/failures.ts'
import { markReceipt } from '../chat/receipts.ts'
import { deleteMessage, editMessage } from '../chat/edits.ts'
import { send } from '../chat/send.ts'
import { unauthorized } from '../chat/tokens.ts'
import { typing } from '../chat/typing.ts'
import { AppError, errorInfo, internal } from '../errors.ts'
import type { Work } from '../load/shedding.ts'
import type { Origin } from '../bus/bus.ts'
import type { Connection } from './connection.ts'
import type { SocketServer } from './socket-server.ts'

/** What an answer has beside its `type` and `id`; undefined where a frame has none. */
type Answer = { type?: 'ack' | 'pong'; message?: unknown; receipt?: unknown; duplicate?: true } | undefined

type Command<K extends keyof ClientFrames> = (
  server: SocketServer,
  connection: Connection,
  frame: ClientFrames[K],
  origin: Origin,
) => Answer | Promise<Answer>

/** Frame → use case: the socket's twin of routes/. */
const commands: { [K in keyof ClientFrames]: Command<K> } = {
  async send({ chat }, { me }, { type: _, id: __, ...request }, origin) {
    const { message, duplicate } = await send(chat, me, request, origin)
    return duplicate ? { message, duplicate } : { message }
  },
  edit: async ({ chat }, { me }, frame, origin) => ({ message: await editMessage(chat, me, frame, origin) }),
  delete: async ({ chat }, { me }, frame, origin) => ({
    message: await deleteMessage(chat, me, frame, origin),
  }),
  receipt: async ({ chat }, { me }, frame, origin) => ({
    receipt: await markReceipt(chat, me, frame, origin),
  }),
  async typing({ chat }, { me }, frame) {
    await typing(chat, me, frame)
    return undefined
  },
  async watch({ presence: { watches } }, connection, { usernames }) {
    await watches.watch(connection, usernames)
    return {}
  },
  async auth({ tokens }, connection, { token }) {
    const me = await tokens.verify(token)
    if (me.user_id !== connection.me.user_id)
      throw unauthorized('The token is of another user than this socket.')
    connection.renew(me)
    return {}
  },
  ping: () => ({ type: 'pong' }),
}

/** What is refused when there is too much to do; the others cost next to nothing, or keep the socket open. */
const works: Partial<Record<keyof ClientFrames, Work>> = {
  send: 'write',
  edit: 'write',
  delete: 'write',
  receipt: 'write',
  typing: 'write',
  watch: 'read',
}

const isCommand = (type: unknown): type is keyof ClientFrames =>
  typeof type === 'string' && Object.hasOwn(commands, type)

/**
 * Does what a frame asks for and answers it. What it writes is appended before this returns its promise: frames of one
 * socket are handled in the order of arrival.
 * @param waited milliseconds since it was read
 */
export const handleFrame = async (
  server: SocketServer,
  connection: Connection,
  data: Buffer,
  waited: number,
): Promise<void> => {
  let id: string | undefined
  let hasAck = !connection.isPlain
  const question = server.ask()
  try {
    const frame = parseFrame(data)
    if (isFrameId(frame.id)) id = frame.id
    const { type = 'send' } = frame
    if (!isCommand(type) || (connection.isPlain && type !== 'send')) {
      const known = connection.isPlain
        ? 'a socket without messenger.v1 only sends messages'
        : Object.keys(commands).join(', ')
      throw new AppError('UNKNOWN_FRAME', `No such type of frame: ${known}.`)
    }
    server.checkFrame(type, frame)
    const work = works[type]
    if (work) server.chat.load.check(work, waited)
    hasAck ||= id !== undefined || 'client_id' in frame
    const origin: Origin = {
      user_id: connection.me.user_id,
      socket: connection.id,
      question,
      frame: id,
    }
    const answer = await commands[type](server, connection, frame as never, origin)
    // Not twice: its change has answered it, or comes by the bus later, and is then told like anybody's.
    if (server.answer(question) && answer && hasAck) connection.sendFrame({ type: 'ack', id, ...answer })
  } catch (cause) {
    server.answer(question)
    const error = asAppError(cause) ?? internal(cause)
    connection.refuse(error, id)
    if (errorInfo(error.code).status === 400) connection.countBadFrame()
  }
}

/** As its schema has it, which counts code points: a frame that is refused for something else returns it too. */
const isFrameId = (id: unknown): id is string =>
  typeof id === 'string' && (id.length <= 64 || (id.length <= 128 && [...id].length <= 64))

const parseFrame = (data: Buffer): Record<string, unknown> => {
  let frame: unknown
  try {
    frame = parse(data.toString())
  } catch {
    throw new AppError('INVALID_JSON', 'The frame is not JSON, or has a member that JSON may not have here.')
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
    throw new AppError('VALIDATION_FAILED', 'The frame must be an object.', {
      errors: [{ path: '', message: 'the frame must be an object' }],
    })
  }
  return frame as Record<string, unknown>
}
