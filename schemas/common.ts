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

/**
 * A string whose known values are listed, and which may get more. A closed `enum` would make generated clients fail on the
 * whole reply that has a new value.
 */
export const openEnum = <const T extends string>(values: readonly T[], options: object) =>
  Type.Unsafe<T>({ type: 'string', 'x-extensible-enum': values, ...options })

/** The same schema with a description of what it holds here. */
export const described = <T extends TSchema>(schema: T, description: string): T => ({
  ...schema,
  description,
})

/** A request object: unknown members are refused. */
export const request = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/**
 * A reply object. JSON Schema leaves it open without saying so; `additionalProperties: true` would become an index
 * signature in generated types.
 */
export const reply = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, options)

/** Without the format, generators for Java, Kotlin, Rust and Go take 32 bits. */
const number = (minimum: number) =>
  Type.Integer({ format: 'int64', minimum, maximum: Number.MAX_SAFE_INTEGER })

export const Id = number(1)

/** A mark may stand before the first message. */
export const Mark = number(0)

export const DeliveredMark = described(
  Mark,
  'The newest message id up to which everything was delivered; 0 for none.',
)
export const ReadMark = described(Mark, 'The newest message id up to which everything was read; 0 for none.')

export const ConversationId = described(Id, 'The id of the conversation.')

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds.' })

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'Opaque. A position in the stream of events: pass it back to resume after it.',
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

export const Username = Type.String({ description: 'The name, in upper and lower case as first written.' })

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
    "The sender's own key for this message, unique per sender for ever. The same key again is the same message. Use a UUIDv7. With an `Idempotency-Key` header too, both must be equal.",
})

export const Metadata = Type.Unsafe<Record<string, unknown>>({
  $id: 'Metadata',
  type: 'object',
  additionalProperties: true,
  description: "The app's own object, up to 1 KiB of JSON; never read by the server.",
})

export const Title = Type.String({
  minLength: 1,
  maxLength: 128,
  format: 'text',
  description: 'The title of the group: 1 to 128 code points.',
})

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
