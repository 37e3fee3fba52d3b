import { type Static, type TSchema, Type } from '@sinclair/typebox'

export type { Static } from '@sinclair/typebox'

/** A reference to a named schema that keeps its static type. */
export const ref = <T extends TSchema>(schema: T) => Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#` })

/** A reply that carries headers beside its named body. */
export const withHeaders = <T extends TSchema>(schema: T, headers: Record<string, TSchema>) =>
  Type.Unsafe<Static<T>>({ ...ref(schema), headers })

/** A string enumeration; `anyOf` of literals reads worse in generated SDKs. */
export const stringEnum = <const T extends string>(values: readonly T[], options: object = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: values, ...options })

/** A request object: unknown members are refused. */
export const request = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/** A reply object: it stays open, clients ignore what they don't know. */
export const reply = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: true, ...options })

export const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

/** A mark may stand before the first message. */
export const Mark = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds.' })

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'Opaque: where a stream goes on.',
})

/** A cursor as it comes in: one that isn't known is told so, whatever it looks like. */
export const CursorInput = Type.String({ maxLength: 256, description: 'The last cursor that was seen.' })

/**
 * A name as it comes in. Its rule (1 to 64 letters, digits, `.`, `_`, `-`; not `.` or `..`) is applied by the use cases, because names of
 * a taken-over database that break it stay usable.
 */
export const UsernameInput = Type.String({
  maxLength: 512,
  description: '1 to 64 letters, digits, `.`, `_` or `-`, and not `.` or `..`; compared without case.',
})

export const Username = Type.String({ description: 'As first written.' })

export const ContentInput = Type.String({
  minLength: 1,
  format: 'text',
  description: 'Returned byte for byte; at most `MAX_MESSAGE_LENGTH` (4,096) code points.',
})

export const ClientId = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[\\x20-\\x7e]+$',
  description:
    "The sender's own key for this message: the same key again is the same message. UUIDv7 is advised.",
})

export const Metadata = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  additionalProperties: true,
  description: "The app's own object, up to 1 KiB of JSON; never read by the server.",
})

export const Title = Type.String({ minLength: 1, maxLength: 128, format: 'text' })

export const PageSize = Type.Integer({
  minimum: 1,
  maximum: 1000,
  default: 100,
  description: 'How many at most.',
})

/** An id as part of an address. */
export const idOf = (what: string, example: number) => ({
  ...Id,
  description: `The id of the ${what}.`,
  examples: [example],
})

export const ConversationParams = request({ id: idOf('conversation', 1) })
export const UsernameInPath = { ...UsernameInput, examples: ['bob'] }
export const UsernameParams = request({ username: UsernameInPath })

export const NoContent = Type.Null({ description: 'Done.' })

export const Upgraded = Type.Null({ description: 'From here on the connection is a WebSocket.' })

/** For a call with neither body nor query. */
export const NoQuery = request({})
