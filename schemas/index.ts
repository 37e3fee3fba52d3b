import { Kind, type TSchema } from '@sinclair/typebox'
import * as account from './account.ts'
import * as common from './common.ts'
import * as conversation from './conversation.ts'
import * as document from './document.ts'
import * as frames from './frames.ts'
import * as health from './health.ts'
import * as message from './message.ts'
import * as problem from './problem.ts'

const isNamed = (value: unknown): value is TSchema & { $id: string } =>
  typeof value === 'object' && value !== null && Kind in value && '$id' in value

/** Every named schema: what validators and documents look up by `$ref`. */
export const namedSchemas = [account, common, conversation, document, frames, health, message, problem]
  .flatMap((module) => Object.values(module))
  .concat(Object.values(frames.clientFrames))
  .filter(isNamed)
