import type { Socket } from 'node:net'
import { type AppError, errorInfo } from '../errors.ts'
import { problem } from '../problem.ts'
import type { ProblemLog } from './problem-log.ts'
import { PROBLEM_TYPE } from './problem-replies.ts'
import { repliesOf } from './replies.ts'

/**
 * Writes a problem to a connection that has no reply object, and closes the connection. Complete requests that arrived
 * before are answered first: their messages may be stored, and the client must not take this error for their answer.
 */
export const refuseConnection = (problems: ProblemLog, socket: Socket, error: AppError) => {
  const { last, previous } = repliesOf(socket)
  // The request has its reply, and the rest of its body broke off.
  if (last?.writableFinished && !last.req.complete) {
    socket.destroy()
    return
  }
  problems.note(error, {})
  // If the newest request broke off, the one before it was complete.
  const complete = last?.req.complete ? last : previous
  if (complete?.closed === false) complete.once('close', () => answerAndClose(socket, error))
  else answerAndClose(socket, error)
}

const answerAndClose = (socket: Socket, error: AppError) => {
  if (!socket.writable) return
  const { status, title } = errorInfo(error.code)
  const body = JSON.stringify(problem(error, '-'))
  socket.write(
    // RFC 9112, section 4 allows any reason phrase.
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
  socket.destroySoon()
}
