import type { Chat } from '../chat/context.ts'
import type { Tokens } from '../chat/tokens.ts'
import type { Config } from '../config.ts'
import type { CloseCode } from '../close-codes.ts'
import type { ProblemLog } from '../http/problem-log.ts'
import type { Hub } from './hub.ts'
import type { Presence } from './presence.ts'

/** What a connection needs of its server. */
export type ConnectionServer = {
  readonly config: Config
  readonly chat: Chat
  readonly tokens: Tokens
  readonly hub: Hub
  readonly presence: Presence
  readonly problems: ProblemLog
  readonly log: { debug(details: object, text: string): void }
  readonly counts: { frames: number; dropped: number }
  /** Events of one replay page. */
  readonly replayPage: number
  /** Buffered bytes above which a connection is closed. */
  readonly hardLimit: number
  countClose(code: CloseCode): void
}
