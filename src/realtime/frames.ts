import type { ValidateFunction } from 'ajv'
import { parse } from 'secure-json-parse'
import { type ClientFrames, clientFrames } from '../../schemas/client-frames.ts'
import type { Receipt } from '../../schemas/conversation.ts'
import type { Message } from '../../schemas/message.ts'
import { fieldErrors, lazyValidator, strictAjv, type Validator } from '../../schemas/validation.ts'
import type { Origin } from '../bus/bus.ts'
import type { Chat, Identity } from '../chat/context.ts'
import { deleteMessage, editMessage } from '../chat/edits.ts'
import { markReceipt } from '../chat/receipts.ts'
import { send } from '../chat/send.ts'
import type { Tokens } from '../chat/tokens.ts'
import { typing } from '../chat/typing.ts'
import { AppError, invalidFields, unauthorized } from '../errors.ts'
import type { Work } from '../load/shedding.ts'
import type { Subscriber } from './subscriber.ts'
import type { Watches } from './watches.ts'

/** What the handler of a frame works with. */
type FrameContext = {
  chat: Chat
  tokens: Tokens
  watches: Watches
  me: Identity
  connection: Subscriber & { renew(me: Identity): void }
  origin: Origin
}

/** Members of an `ack` beside `type` and `id`. */
type AckMembers = { message?: Message; receipt?: Receipt; duplicate?: true }

type FrameRow<T extends keyof ClientFrames> = {
  /** Under overload, `write` frames are refused first and `read` frames later. `exempt` frames are never refused. */
  load: Work | 'exempt'
  /** The type of the frame that answers; `none` if only an `error` does. */
  answer: 'ack' | 'pong' | 'none'
  /** Calls the use case. A write must be appended synchronously, so that frames of one socket commit in order. */
  handle(context: FrameContext, frame: ClientFrames[T]): AckMembers | Promise<AckMembers>
}

/**
 * The table of client frames: the schema of each is in schemas/client-frames.ts. A missing row or column does not compile.
 * The AsyncAPI document is generated from both.
 */
export const frameTable: { [T in keyof ClientFrames]: FrameRow<T> } = {
  send: {
    load: 'write',
    answer: 'ack',
    async handle({ chat, me, origin }, { type: _, id: __, ...request }) {
      const { message, duplicate } = await send(chat, me, request, origin)
      return duplicate ? { message, duplicate } : { message }
    },
  },
  edit: {
    load: 'write',
    answer: 'ack',
    handle: async ({ chat, me, origin }, frame) => ({ message: await editMessage(chat, me, frame, origin) }),
  },
  delete: {
    load: 'write',
    answer: 'ack',
    handle: async ({ chat, me, origin }, frame) => ({
      message: await deleteMessage(chat, me, frame, origin),
    }),
  },
  receipt: {
    load: 'write',
    answer: 'ack',
    handle: async ({ chat, me, origin }, frame) => ({ receipt: await markReceipt(chat, me, frame, origin) }),
  },
  typing: {
    load: 'write',
    answer: 'none',
    async handle({ chat, me }, frame) {
      await typing(chat, me, frame)
      return {}
    },
  },
  watch: {
    load: 'read',
    answer: 'ack',
    async handle({ watches, connection }, { usernames }) {
      await watches.watch(connection, usernames)
      return {}
    },
  },
  auth: {
    load: 'exempt',
    answer: 'ack',
    async handle({ tokens, me, connection }, { token }) {
      const renewed = await tokens.verify(token)
      if (renewed.user_id !== me.user_id)
        throw unauthorized(
          'The token belongs to another user. Send a token of the user who opened this socket.',
        )
      connection.renew(renewed)
      return {}
    },
  },
  ping: { load: 'exempt', answer: 'pong', handle: () => ({}) },
}

/** @returns the members of a frame. @throws AppError `INVALID_JSON`; `VALIDATION_FAILED` if it is not an object */
export const parseFrame = (data: Buffer): Record<string, unknown> => {
  let frame: unknown
  try {
    frame = parse(data.toString())
  } catch {
    throw new AppError(
      'INVALID_JSON',
      'The frame is not valid JSON, or has a forbidden member name. Send one JSON object per frame.',
    )
  }
  if (typeof frame !== 'object' || frame === null || Array.isArray(frame)) {
    throw new AppError('VALIDATION_FAILED', 'The frame must be an object.', {
      errors: [{ path: '', message: 'the frame must be an object' }],
    })
  }
  return frame as Record<string, unknown>
}

/** @returns the client's id of a frame whose schema was not checked yet; undefined if it has no valid one */
export const frameIdOf = ({ id }: Record<string, unknown>): string | undefined =>
  // As in the schema, whose `maxLength` counts code points.
  typeof id === 'string' && (id.length <= 64 || (id.length <= 128 && [...id].length <= 64)) ? id : undefined

/**
 * Checks a frame against its schema.
 * @param isPlain whether the socket has no subprotocol; such a socket only sends messages
 * @returns the type of the frame
 * @throws AppError `UNKNOWN_FRAME`, `VALIDATION_FAILED`
 */
export const checkFrame = (frame: Record<string, unknown>, isPlain: boolean): keyof ClientFrames => {
  const { type = 'send' } = frame
  if (!isFrameType(type) || (isPlain && type !== 'send')) {
    const known = isPlain
      ? 'A socket without the subprotocol messenger.v1 only accepts: send.'
      : `Known types: ${Object.keys(frameTable).join(', ')}.`
    throw new AppError('UNKNOWN_FRAME', `The type of the frame is unknown. ${known}`)
  }
  const validate = validators[type]
  if (!validate(frame)) throw invalidFields(fieldErrors(validate.errors, 'frame'))
  return type
}

const isFrameType = (type: unknown): type is keyof ClientFrames =>
  typeof type === 'string' && Object.hasOwn(frameTable, type)

const validators = Object.fromEntries(
  Object.entries(clientFrames).map(([type, { $id }]) => [
    type,
    lazyValidator(() => strictAjv.getSchema($id as string) as ValidateFunction),
  ]),
) as Record<keyof ClientFrames, Validator>
