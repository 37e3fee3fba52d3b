import type { Problem } from '../schemas/problem.ts'
import { type AppError, errorInfo, type RequestPart } from './errors.ts'

/**
 * Builds the body of an error response (RFC 9457).
 * @param partOf the part of an HTTP request that a path points into, which a use case does not know
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
