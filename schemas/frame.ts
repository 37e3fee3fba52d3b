import { type TObject, type TSchema, Type } from '@sinclair/typebox'
import { reply, stringEnum } from './common.ts'

/** Members of an object schema, by name. */
export type Members = Parameters<typeof Type.Object>[0]

export const FrameId = Type.String({
  maxLength: 64,
  format: 'text',
  description:
    'An id that the client chooses. The `ack`, `pong` or `error` that answers the frame repeats it.',
})

/** @returns the schema of a `type` member that has one value. */
export const frameType = <T extends string>(type: T) =>
  stringEnum([type], { description: `The type of the frame: \`${type}\`.` })

/**
 * Describes several variants of an event as one object schema with the members of all. A `oneOf` makes generated clients refuse a whole
 * page for one unknown variant, and ogen does not support an overlapping `anyOf`.
 * @param variants the schema of each variant, by its `type`
 * @param namedBy the extension member that lists the names of these schemas
 * @param shared the members whose schema is not that of a variant, `type` among them
 */
export const eventSchema = <T>(
  variants: Record<string, TObject>,
  namedBy: `x-${string}`,
  shared: Record<string, TSchema>,
  { $id, description, required }: { $id: string; description: string; required: string[] },
) =>
  Type.Unsafe<T>({
    $id,
    type: 'object',
    description,
    required,
    properties: {
      ...Object.assign({}, ...Object.values(variants).map(({ properties }) => properties)),
      ...shared,
    },
    [namedBy]: Object.fromEntries(
      Object.entries(variants).map(([type, variant]) => [type, `#/components/schemas/${variant.$id}`]),
    ),
  })

/** @returns the schema of a frame that the server sends. */
export const serverFrame = <T extends string, P extends Members>(
  type: T,
  $id: string,
  description: string,
  members: P,
) => reply({ type: frameType(type), ...members }, { $id, description })
