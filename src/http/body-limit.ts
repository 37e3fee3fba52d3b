import { MAX_METADATA_BYTES } from '../chat/content.ts'
import type { Config } from '../config.ts'
import { namedSchemas } from '../../schemas/index.ts'

/** Bytes of a body that an operation without a body accepts. Some clients send `{}` with every POST. */
export const NO_BODY_LIMIT = 1024

/** Bytes of one code point in its longest form: two escapes such as `\ud83d`. */
const CODE_POINT = 12
/** Bytes of a number. An integer below 2^53 has 16 digits, and may be written as 1e3 or 1.0. */
const NUMBER = 32
/** Bytes of the line break and the indentation of a member or an element. */
const SPACE = 16
/** Code points of the longest username that a new account can have. */
const USERNAME = 64

type Schema = {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  anyOf?: Schema[]
  maxLength?: number
  maxItems?: number
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: boolean
}

/**
 * @returns a function that computes the size in bytes of the largest valid body of a schema, in the longest form that a JSON
 *   library writes. A larger body cannot be valid.
 * @throws Error, from that function, if the schema does not limit the size of a member
 */
export const createBodyLimit = ({ MAX_MESSAGE_LENGTH, MAX_GROUP_MEMBERS }: Config) => {
  /** Members whose limit is in the configuration or in a use case instead of the schema. */
  const known: Record<string, number> = {
    content: text(MAX_MESSAGE_LENGTH),
    // A byte may be an escape of six bytes, and indentation may add a third.
    metadata: MAX_METADATA_BYTES * 8,
    // Imported databases may have longer names. A few of them fit, because most names are much shorter than 64.
    members: 2 + MAX_GROUP_MEMBERS * (text(USERNAME) + 1 + SPACE),
  }

  const sizeOf = (schema: Schema, path: string): number => {
    if (schema.$ref) return sizeOf(named(schema.$ref), path)
    if (schema.anyOf) return Math.max(...schema.anyOf.map((option) => sizeOf(option, path)))
    if (schema.enum) return Math.max(...schema.enum.map((value) => text(JSON.stringify(value).length)))
    const { type, maxLength, maxItems, items, properties, additionalProperties } = schema
    if (Array.isArray(type)) return Math.max(...type.map((one) => sizeOf({ ...schema, type: one }, path)))
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
