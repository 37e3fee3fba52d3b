import { Type } from '@sinclair/typebox'
import { type ErrorCode, errorInfo, errors, requestParts } from '../src/errors.ts'
import { Cursor, described, openEnum, ref, reply, type Static } from './common.ts'

export const RequestPart = openEnum(requestParts, {
  $id: 'RequestPart',
  description: 'Part of the request that `path` points into. More values may be added.',
})

export const FieldError = reply(
  {
    path: Type.String({
      description: 'JSON pointer to the invalid member. Empty if the whole part is invalid.',
    }),
    message: Type.String({
      description: 'What is wrong with the member, as a text for users. It names the member.',
    }),
    in: Type.Optional(ref(RequestPart)),
  },
  { $id: 'FieldError', description: 'An invalid member of the request.' },
)

export const ErrorCodeSchema = openEnum(Object.keys(errors), {
  $id: 'ErrorCode',
  description:
    'Stable error code: a code never changes its meaning. More codes may be added: treat an unknown code by its status.',
})

export const Problem = reply(
  {
    type: Type.String({ description: 'URI of the kind of problem.' }),
    title: Type.String({ description: 'Short description of `code`.' }),
    status: Type.Integer({
      description: 'HTTP status. In an `error` frame: the status of the same error over HTTP.',
    }),
    detail: Type.String({ description: 'What is wrong with this request and what you can do.' }),
    code: ref(ErrorCodeSchema),
    errors: Type.Optional(
      Type.Array(ref(FieldError), {
        description: 'Invalid members of the request. Absent if the error is not about a member.',
      }),
    ),
    request_id: Type.String({
      description: 'Id of the request in the log of the server. `-` if the request has no id.',
    }),
    cursor: Type.Optional(described(Cursor, 'Only with `CURSOR_UNKNOWN`: cursor of the newest change.')),
  },
  { $id: 'Problem', description: 'Problem details of RFC 9457.' },
)
export type Problem = Static<typeof Problem>

/** @returns the error responses of a route with these codes. plugins/openapi.ts replaces them by shared responses. */
export const problems = (...codes: ErrorCode[]) => {
  const byStatus = Map.groupBy(codes, (code) => errorInfo(code).status)
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      { content: { 'application/problem+json': { schema: ref(Problem), 'x-codes': list } } },
    ]),
  )
}

/** Codes of every request that reads the database. */
const reading: ErrorCode[] = ['INTERNAL', 'OVERLOADED', 'STORAGE_UNAVAILABLE', 'SHUTTING_DOWN']

/** Codes of every request whose method can have a body, whether the route expects a body or not. */
export const bodyCodes: ErrorCode[] = ['INVALID_JSON', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

export const readProblems = (...codes: ErrorCode[]) => problems(...codes, ...reading)
export const writeProblems = (...codes: ErrorCode[]) => problems(...codes, ...bodyCodes, ...reading)
