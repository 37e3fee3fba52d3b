import { type AppError, type ErrorCode, errorInfo, type Overload } from '../errors.ts'

/** Milliseconds without a refusal after which what it was refused for is over. */
const QUIET_MS = 10_000

type Level = (details: object, text: string) => void
export type Log = { error: Level; warn: Level; info: Level }

/** Whose request or frame it was. */
type Details = { reqId?: string; user_id?: number | undefined; socket?: string }

/**
 * Counts what both doors refuse, and logs what the operator should know. A mistake of ours is a line each time; a disk
 * that fails or too much to do is one when it begins and one when it is over: were each refusal one, the log would feed
 * the overload that it tells of.
 * @param quietMs milliseconds without a refusal after which it is over
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
    /** How many requests and frames were refused with which code. */
    counts,
    /** For what the overloaded ones were. */
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
