import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { patterns } from './patterns.ts'

export type { Static } from '@sinclair/typebox'

/** A `$ref` to a named schema. Keeps the static type. */
export const ref = <T extends TSchema>(schema: T) => Type.Unsafe<Static<T>>({ $ref: `${schema.$id}#` })

/** A response with a named body and headers. */
export const withHeaders = <T extends TSchema>(schema: T, headers: Record<string, TSchema>) =>
  Type.Unsafe<Static<T>>({ ...ref(schema), headers })

/** @returns the response header that marks a repeated request. @param description what the response is then */
export const replayed = (description: string) => ({
  'Idempotent-Replayed': stringEnum(['true'], { description }),
})

/** A string enum. TypeBox's union of literals becomes `anyOf`, which generates worse SDK types. */
export const stringEnum = <const T extends string>(values: readonly T[], options: object = {}) =>
  Type.Unsafe<T>({ type: 'string', enum: values, ...options })

/**
 * A string with known values that may gain more values. With a closed `enum`, generated clients reject a whole response
 * because of one new value.
 */
export const openEnum = <const T extends string>(values: readonly T[], options: object) =>
  Type.Unsafe<T>({ type: 'string', 'x-extensible-enum': values, ...options })

/** The same schema with another description. */
export const described = <T extends TSchema>(schema: T, description: string): T => ({
  ...schema,
  description,
})

/** A request object. Unknown members are rejected. */
export const request = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options })

/**
 * A response object. It may have unknown members, which is the default of JSON Schema. An explicit
 * `additionalProperties: true` would add an index signature to generated types.
 */
export const reply = <T extends Parameters<typeof Type.Object>[0]>(properties: T, options: object = {}) =>
  Type.Object(properties, options)

/** Without the format, generators for Java, Kotlin, Rust and Go use 32 bits. */
const number = (minimum: number) =>
  Type.Integer({ format: 'int64', minimum, maximum: Number.MAX_SAFE_INTEGER })

export const Id = number(1)

/** A message id, or 0 for a position before the first message. */
export const Mark = number(0)

export const DeliveredMark = described(
  Mark,
  'Id of the newest message up to which all messages were delivered. 0: none.',
)
export const ReadMark = described(
  Mark,
  'Id of the newest message up to which all messages were read. 0: none.',
)

export const ConversationId = described(Id, 'Id of the conversation.')

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds.' })

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 64,
  description: 'Opaque position in the event stream. Send it back to resume after this position.',
})

/** A cursor in a request. A malformed cursor gives CURSOR_UNKNOWN like any other unknown cursor. */
export const CursorInput = Type.String({
  maxLength: 256,
  description: 'The newest cursor that you received.',
})

/**
 * A username in a request. The use cases check its rule, because names from an imported database that break the rule stay
 * usable.
 */
export const UsernameInput = Type.String({
  maxLength: 512,
  description:
    'Username: 1 to 64 letters, digits, `.`, `_` or `-`, but not `.` or `..`. Names that your app creates may also have `@`, `+`, `:`, `|` and `~`. Case is ignored.',
})

export const Username = Type.String({ description: 'Username, in the case in which it was registered.' })

export const ContentInput = Type.String({
  minLength: 1,
  format: 'text',
  description:
    'Text of the message: at most `MAX_MESSAGE_LENGTH` (default 4,096) code points. Returned unchanged, byte for byte.',
})

export const ClientId = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: patterns.clientId.pattern,
  description:
    'Idempotency key of the message, unique per sender for ever: a repeated key returns the original message. Use a UUIDv7. If you also send the `Idempotency-Key` header, both must be equal.',
})

export const Metadata = Type.Unsafe<Record<string, unknown>>({
  $id: 'Metadata',
  type: 'object',
  additionalProperties: true,
  description:
    'An object of your app: at most 1 KiB of JSON. The server stores it and does not interpret it.',
})

/** The rule of metadata in a member that `removable` makes. */
export const metadataRule = { additionalProperties: true, description: Metadata.description as string }

/** @returns the schema of a member that null removes */
export const removable = <T>(
  type: string,
  { description, ...rule }: { description: string; [keyword: string]: unknown },
) =>
  Type.Optional(
    Type.Unsafe<T | null>({
      type: [type, 'null'],
      ...rule,
      description: `${description} \`null\` removes it.`,
    }),
  )

export const Title = Type.String({
  minLength: 1,
  maxLength: 128,
  format: 'text',
  description: 'Title of the group: 1 to 128 code points.',
})

export const PageSize = Type.Integer({
  minimum: 1,
  maximum: 1000,
  default: 100,
  description: 'Maximum number of items on the page.',
})

/** An id in a URL path. */
export const idOf = (what: string, example: number) => ({
  ...Id,
  description: `Id of the ${what}.`,
  examples: [example],
})

export const ConversationParams = request({ id: idOf('conversation', 1) })
export const UsernameInPath = { ...UsernameInput, examples: ['bob'] }
export const UsernameParams = request({ username: UsernameInPath })

export const NoContent = Type.Null({ description: 'The request succeeded.' })

export const Upgraded = Type.Null({ description: 'The connection is now a WebSocket.' })

/** Query of a request without query parameters. */
export const NoQuery = request({})
