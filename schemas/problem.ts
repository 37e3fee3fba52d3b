import { Type } from '@sinclair/typebox'
import { type ErrorCode, errorInfo, errors, requestParts } from '../src/errors.ts'
import { Cursor, described, openEnum, ref, reply, type Static } from './common.ts'

export const RequestPart = openEnum(requestParts, {
  $id: 'RequestPart',
  description: 'The part of the request that `path` points into. There may be more.',
})

export const FieldError = reply(
  {
    path: Type.String({ description: 'A JSON pointer to what is wrong; empty for the whole of it.' }),
    message: Type.String({ description: 'What is wrong, naming the member: it can be shown as it is.' }),
    in: Type.Optional(ref(RequestPart)),
  },
  { $id: 'FieldError', description: 'What is wrong with one member of the request.' },
)

export const ErrorCodeSchema = openEnum(Object.keys(errors), {
  $id: 'ErrorCode',
  description:
    'Stable: a code never changes its meaning. There may be more: treat an unknown one by its status.',
})

export const Problem = reply(
  {
    type: Type.String({ description: 'A URI that names the kind of problem.' }),
    title: Type.String({ description: 'What `code` means, in a few words.' }),
    status: Type.Integer({
      description: 'The HTTP status; in an `error` frame the one that HTTP would answer.',
    }),
    detail: Type.String({ description: 'What is wrong here, and the way out.' }),
    code: ref(ErrorCodeSchema),
    errors: Type.Optional(
      Type.Array(ref(FieldError), { description: 'What is wrong where; absent if no member is to blame.' }),
    ),
    request_id: Type.String({ description: 'What the server’s log calls this request; `-` if it has none.' }),
    cursor: Type.Optional(described(Cursor, 'Only of `CURSOR_UNKNOWN`: the position of now.')),
  },
  { $id: 'Problem', description: 'RFC 9457.' },
)
export type Problem = Static<typeof Problem>

/** The replies of a route that may refuse with these codes. plugins/openapi.ts refers them to one reply for each status. */
export const problems = (...codes: ErrorCode[]) => {
  const byStatus = Map.groupBy(codes, (code) => errorInfo(code).status)
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { content: { 'application/problem+json': { schema: ref(Problem), 'x-codes': list } } },
    ]),
  )
}

/** What any call may answer that looks at the database. */
const reading: ErrorCode[] = ['INTERNAL', 'OVERLOADED', 'STORAGE_UNAVAILABLE', 'SHUTTING_DOWN']

/** What any call may answer whose method can have a body, whether it is to have one or not. */
export const bodyCodes: ErrorCode[] = ['INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

export const readProblems = (...codes: ErrorCode[]) => problems(...codes, ...reading)
export const writeProblems = (...codes: ErrorCode[]) => problems(...codes, ...bodyCodes, ...reading)
