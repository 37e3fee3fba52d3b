import { type AppError, type ErrorCode, errorInfo, type Overload } from '../errors.ts'

/** Milliseconds without a refusal until its cause is considered over. */
const QUIET_MS = 10_000

type Level = (details: object, text: string) => void
export type Log = { error: Level; warn: Level; info: Level }

/** The request or socket that was refused, and its user. Work in the background has only a user. */
type Details = { reqId?: string; user_id?: number | undefined; socket?: string }

/**
 * Counts refused requests and frames, and logs what the operator has to know. Each internal error is a line. A failing
 * disk or an overload is one line at its start and one at its end, because a line per refusal would add to the overload.
 * @param quietMs milliseconds without a refusal until the cause is considered over
 */
export const createProblemLog = (log: Log, quietMs = QUIET_MS) => {
  const counts = new Map<ErrorCode, number>()
  const overloads: Record<Overload, number> = { event_loop: 0, queue: 0, sockets: 0, bodies: 0, other: 0 }
  const states = new Map<string, { refused: number; timer: NodeJS.Timeout }>()

  const noteState = ({ code, message, cause }: AppError, details: Details) => {
    const state = states.get(message)
    if (state) {
      state.refused += 1
      state.timer.refresh()
      return
    }
    const end = () => {
      const refused = states.get(message)?.refused
      states.delete(message)
      log.info({ code, refused }, `over: ${message}`)
    }
    states.set(message, { refused: 1, timer: setTimeout(end, quietMs).unref() })
    if (code === 'OVERLOADED') log.warn({ code, ...details }, message)
    else log.error({ err: cause, code, ...details }, message)
  }

  return {
    /** The number of refused requests and frames, and of failures in the background, by code. */
    counts,
    /** The number of `OVERLOADED` refusals by exhausted resource. */
    overloads,
    note(error: AppError, details: Details) {
      const { code, message, cause } = error
      counts.set(code, (counts.get(code) ?? 0) + 1)
      if (code === 'OVERLOADED') overloads[error.overload ?? 'other'] += 1
      if (code === 'INTERNAL') log.error({ err: cause, code, ...details }, message)
      else if (errorInfo(code).status >= 500 && code !== 'SHUTTING_DOWN') noteState(error, details)
    },
    stop() {
      for (const { timer } of states.values()) clearTimeout(timer)
    },
  }
}
export type ProblemLog = ReturnType<typeof createProblemLog>
