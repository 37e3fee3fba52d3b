import { Kind, type TSchema } from '@sinclair/typebox'
import * as account from './account.ts'
import * as appUsers from './app-users.ts'
import * as clientFrames from './client-frames.ts'
import * as common from './common.ts'
import * as conversation from './conversation.ts'
import * as document from './document.ts'
import * as events from './events.ts'
import * as feed from './feed.ts'
import * as health from './health.ts'
import * as message from './message.ts'
import * as problem from './problem.ts'
import * as report from './report.ts'
import * as serverFrames from './server-frames.ts'
import * as suspension from './suspension.ts'
import * as sync from './sync.ts'
import * as webhook from './webhook.ts'

const isNamed = (value: unknown): value is TSchema & { $id: string } =>
  typeof value === 'object' && value !== null && Kind in value && '$id' in value

/** Every schema that has an `$id`. Validators and documents resolve `$ref` in this list. */
export const namedSchemas = [
  ...[
    account,
    appUsers,
    common,
    conversation,
    document,
    events,
    feed,
    health,
    message,
    problem,
    report,
    serverFrames,
    suspension,
    sync,
    webhook,
  ],
  ...[clientFrames, clientFrames.clientFrames],
]
  .flatMap((module) => Object.values<unknown>(module))
  .filter(isNamed)
