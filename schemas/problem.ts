import { Type } from '@sinclair/typebox'
import { type ErrorCode, errorInfo } from '../src/errors.ts'
import { Cursor, ref, reply, type Static } from './common.ts'

export const Problem = reply(
  {
    type: Type.String({ description: 'A URI that names the kind of problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong here, and the way out.' }),
    code: Type.String({ description: 'Stable; from the one table of errors.' }),
    errors: Type.Optional(
      Type.Array(
        reply({
          path: Type.String({ description: 'A JSON pointer to what is wrong.' }),
          message: Type.String(),
        }),
      ),
    ),
    request_id: Type.String(),
    cursor: Type.Optional(Cursor),
  },
  { $id: 'Problem', description: 'RFC 9457.' },
)
export type Problem = Static<typeof Problem>

/** The replies of a route that may refuse with these codes. */
export const problems = (...codes: ErrorCode[]) => {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) {
    const { status } = errorInfo(code)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { description: list.join(', '), content: { 'application/problem+json': { schema: ref(Problem) } } },
    ]),
  )
}

/** What any call may answer. */
const anywhere: ErrorCode[] = [
  'VALIDATION_FAILED',
  'INTERNAL',
  'OVERLOADED',
  'STORAGE_UNAVAILABLE',
  'SHUTTING_DOWN',
]

/** What any call with a body may answer. */
const withBody: ErrorCode[] = [
  'INVALID_JSON',
  'PAYLOAD_TOO_LARGE',
  'UNSUPPORTED_MEDIA_TYPE',
  'REQUEST_TIMEOUT',
]

export const openProblems = (...codes: ErrorCode[]) => problems(...codes, ...anywhere)
export const bodyProblems = (...codes: ErrorCode[]) => problems(...codes, ...withBody, ...anywhere)

/** For `security`: the call needs a token. */
export const bearerToken = [{ bearerToken: [] }]
