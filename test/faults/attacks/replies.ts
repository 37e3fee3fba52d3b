import { errors } from '../../../src/errors.ts'
import type { Replies } from './attack.ts'

/** `status` is 0 if the connection was closed without a reply. */
export type Reply = { status: number; headers: Headers; body: string }

/** Missing replies, and replies that a client cannot act on. */
const BAD = /^(cut|not answered|malformed)/

/** @returns a violation for each kind of bad reply. */
export const replyViolations = (replies: Replies): string[] =>
  Object.entries(replies).flatMap(([reply, count]) => (BAD.test(reply) ? [`${reply}: ${count} times`] : []))

/** @returns the kind of a reply: `malformed` if it violates the contract. */
export const kindOf = ({ status, headers, body }: Reply): string => {
  if (status < 300) return String(status)
  const code = codeOf(body)
  const mustHint = status === 429 || status === 503
  const isValid =
    errors[code as keyof typeof errors]?.status === status && (!mustHint || retryAfterOf(headers) > 0)
  return `${isValid ? '' : 'malformed '}${status} ${code}`
}

const codeOf = (body: string): string => {
  try {
    return String((JSON.parse(body) as { code?: unknown }).code)
  } catch {
    return 'without a problem'
  }
}

/** @returns the seconds that a reply asks the client to wait, or 0 */
export const retryAfterOf = (headers: Headers) => Number(headers.get('retry-after'))
