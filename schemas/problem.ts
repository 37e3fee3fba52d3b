import { Type } from '@sinclair/typebox'
import { type ErrorCode, errorInfo, errors } from '../src/errors.ts'
import { Cursor, ref, reply, type Static } from './common.ts'

export const FieldError = reply(
  { path: Type.String({ description: 'A JSON pointer to what is wrong.' }), message: Type.String() },
  { $id: 'FieldError', description: 'What is wrong with one member of the request.' },
)

export const Problem = reply(
  {
    type: Type.String({ description: 'A URI that names the kind of problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'What is wrong here, and the way out.' }),
    code: Type.String({
      description: 'Stable; there may be more some day.',
      'x-extensible-enum': Object.keys(errors),
    }),
    errors: Type.Optional(Type.Array(ref(FieldError))),
    request_id: Type.String(),
    cursor: Type.Optional(Cursor),
  },
  { $id: 'Problem', description: 'RFC 9457.' },
)
export type Problem = Static<typeof Problem>

const retryAfter = {
  headers: { 'Retry-After': Type.Integer({ description: 'Seconds after which it may be tried again.' }) },
}

const headersOf: Record<number, { headers: object }> = {
  401: { headers: { 'WWW-Authenticate': Type.String({ description: '`Bearer`.' }) } },
  429: retryAfter,
  503: retryAfter,
}

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
      {
        description: list.map((code) => `\`${code}\`: ${errorInfo(code).title}.`).join(' '),
        ...headersOf[status],
        content: { 'application/problem+json': { schema: ref(Problem), 'x-codes': list } },
      },
    ]),
  )
}

/** What any call may answer that looks at the database. */
const reading: ErrorCode[] = ['INTERNAL', 'OVERLOADED', 'STORAGE_UNAVAILABLE', 'SHUTTING_DOWN']

/** What any call may answer whose method can have a body, whether it is to have one or not. */
export const bodyCodes: ErrorCode[] = ['INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

export const readProblems = (...codes: ErrorCode[]) => problems(...codes, ...reading)
export const writeProblems = (...codes: ErrorCode[]) => problems(...codes, ...bodyCodes, ...reading)

/** For `security`: the call needs a token. */
export const bearerToken = [{ bearerToken: [] }]
