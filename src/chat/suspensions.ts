import { isSuspended, type Suspension as Stored } from '../../db/refusals.ts'
import { OPEN } from '../../db/tables.ts'
import type { Suspension, SuspensionRequest } from '../../schemas/suspension.ts'
import { invalid } from '../errors.ts'
import type { Chat } from './context.ts'
import { timestamp } from './messages.ts'

/**
 * Suspends a user in place of an earlier suspension: the user can neither write, read, log in nor connect, on all servers.
 * @returns the suspension
 * @throws AppError `VALIDATION_FAILED`, and as the operation `suspend`
 */
export const suspend = async (
  chat: Chat,
  username: string,
  request: SuspensionRequest,
): Promise<Suspension> => {
  const until = request.until === undefined ? undefined : parseTime(request.until)
  const { reason } = request
  await chat.writer.append('suspend', { username, reason, until })
  return { reason, ...(until !== undefined && { until: timestamp(until) }) }
}

/** Lifts the suspension of a user, if there is one. @throws AppError as the operation `endSuspension` */
export const endSuspension = (chat: Chat, username: string): Promise<void> =>
  chat.writer.append('endSuspension', { username })

/** @returns the suspension of an account; undefined if it is not suspended now */
export const toSuspension = (account: Stored): Suspension | undefined => {
  if (!isSuspended(account)) return undefined
  const { suspended_reason, suspended_until } = account as { [K in keyof Stored]: NonNullable<Stored[K]> }
  return {
    reason: suspended_reason,
    ...(suspended_until !== OPEN && { until: timestamp(suspended_until) }),
  }
}

/** RFC 3339 requires an offset from UTC. Without an offset, JavaScript reads a time in the server's own time zone. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i

/** @returns a time in milliseconds since 1970. @throws AppError `VALIDATION_FAILED` */
const parseTime = (text: string): number => {
  const time = TIME.test(text) && hasDay(text) ? Date.parse(text.toUpperCase()) : Number.NaN
  if (Number.isNaN(time)) throw invalid('/until', 'must be a time such as 2030-12-31T23:59:59Z')
  return time
}

/** JavaScript reads 30 February as 2 March. */
const hasDay = (text: string): boolean => {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number]
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day
}
