import type { Problem } from '../schemas/problem.ts'
import { type AppError, errorInfo, type RequestPart } from './errors.ts'

/**
 * Builds the body of an error response (RFC 9457).
 * @param partOf returns the part of the request that a path points into; a use case knows only the name of a member
 */
export const problem = (
  error: AppError,
  requestId: string,
  partOf: (path: string) => RequestPart = () => 'frame',
): Problem => {
  const { status, title } = errorInfo(error.code)
  return {
    type: `urn:messenger:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    ...(error.errors && {
      errors: error.errors.map((field) => ({ ...field, in: field.in ?? partOf(field.path) })),
    }),
    request_id: requestId,
    ...error.extra,
  }
}
