import { MAX_METADATA_BYTES } from '../chat/content.ts'
import type { Config } from '../config.ts'
import { namedSchemas } from '../../schemas/index.ts'

/** Bytes of the body of an operation that takes none: some clients send `{}` with each POST. */
export const NO_BODY_LIMIT = 1024

/** Bytes of one code point as a client may write it: two escapes such as `\ud83d`. */
const CODE_POINT = 12
/** Bytes of a number: an integer below 2^53 has 16 digits, and may be written as 1e3 or 1.0. */
const NUMBER = 32
/** Bytes of line break and indentation beside each member and element. */
const SPACE = 16
/** Code points of a username that an account can be made with. */
const USERNAME = 64

type Schema = {
  $ref?: string
  type?: string
  enum?: unknown[]
  anyOf?: Schema[]
  maxLength?: number
  maxItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: boolean
}

/**
 * @returns a function that gives the bytes of the largest body that a schema and the configuration allow, as any JSON
 *   library may write it. Everything below 2^53 fits; a body that is larger can not be valid.
 * @throws Error, from that function, naming the member of which the schema does not bound the size
 */
export const createBodyLimit = ({ MAX_MESSAGE_LENGTH, MAX_GROUP_MEMBERS }: Config) => {
  /** Members that the configuration or a use case bounds more closely than the schema. */
  const known: Record<string, number> = {
    content: text(MAX_MESSAGE_LENGTH),
    // Each byte may come as an escape of six; indentation may take as much as a third more.
    metadata: MAX_METADATA_BYTES * 8,
    // Longer names exist in databases that were taken over. A body full of them is refused; a few are no longer than the rest.
    members: 2 + MAX_GROUP_MEMBERS * (text(USERNAME) + 1 + SPACE),
  }

  const sizeOf = (schema: Schema, path: string): number => {
    if (schema.$ref) return sizeOf(named(schema.$ref), path)
    if (schema.anyOf) return Math.max(...schema.anyOf.map((option) => sizeOf(option, path)))
    if (schema.enum) return Math.max(...schema.enum.map((value) => text(JSON.stringify(value).length)))
    const { type, maxLength, maxItems, items, properties, additionalProperties } = schema
    if (type === 'integer' || type === 'number') return NUMBER
    if (type === 'boolean' || type === 'null') return 5
    if (type === 'string' && maxLength !== undefined) return text(maxLength)
    if (type === 'array' && items && maxItems !== undefined)
      return 2 + maxItems * (sizeOf(items, `${path}/0`) + 1 + SPACE)
    if (type === 'object' && properties && additionalProperties === false) {
      return Object.entries(properties).reduce(
        (sum, [name, member]) =>
          sum + text(name.length) + 2 + SPACE + (known[name] ?? sizeOf(member, `${path}/${name}`)),
        2 + SPACE,
      )
    }
    throw new Error(
      `The size of ${path || 'the body'} is not bounded. Give its schema a maxLength, a maxItems or additionalProperties: false.`,
    )
  }
  return (schema: unknown): number => sizeOf(schema as Schema, '')
}

const text = (codePoints: number) => 2 + codePoints * CODE_POINT

const named = (ref: string): Schema => namedSchemas.find(({ $id }) => `${$id}#` === ref) as unknown as Schema
