import { Type } from '@sinclair/typebox'
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

/** @returns the schema of a frame that the server sends. */
export const serverFrame = <T extends string, P extends Members>(
  type: T,
  $id: string,
  description: string,
  members: P,
) => reply({ type: frameType(type), ...members }, { $id, description })
