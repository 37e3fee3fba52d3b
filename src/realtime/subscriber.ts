import type { Identity } from '../chat/context.ts'
import type { CloseCode } from '../close-codes.ts'
import type { Encoded } from './encoding.ts'

/** What the hub, presence and watches need of a connection. */
export type Subscriber = {
  /** Unique among all servers of one database. */
  readonly id: string
  readonly me: Identity
  /** The heartbeat tick of this connection, from 0 to `HEARTBEAT_TICKS` - 1. */
  readonly heartbeatTick: number
  /** Sends a change, unless the client has it already or a replay will send it. */
  deliver(encoded: Encoded): void
  /** Sends a frame that may be lost. Drops it while more than `SOCKET_SOFT_LIMIT` bytes are buffered. */
  sendDroppable(frame: Buffer): void
  /**
   * Replays the changes after `head` from the database, because the bus lost some of them. Before that, verifies the token
   * again, because a lost change may have ended it.
   */
  replayAfter(head: number): void
  /** Pings the client. Closes the connection if nothing was received since the last call. */
  beat(): void
  /** Stops reading, answers the frames whose handling has begun, drops those that wait for a turn, then closes. */
  finish(code: CloseCode): void
  /** Logs an error that no frame of the client caused, and closes the connection. */
  fail(cause: unknown): void
}
