import { Type } from '@sinclair/typebox'
import { described, reply, request, type Static, Timestamp } from './common.ts'

const reason = Type.String({
  minLength: 1,
  maxLength: 1000,
  format: 'text',
  description: 'Reason, which the user is shown: 1 to 1,000 code points.',
})

export const SuspensionRequest = request(
  {
    reason,
    until: Type.Optional(
      Type.String({
        maxLength: 64,
        format: 'date-time',
        description: 'End of the suspension: a time in the future (RFC 3339). If absent, it does not end.',
      }),
    ),
  },
  { $id: 'SuspensionRequest', description: 'Reason and end of a suspension.' },
)
export type SuspensionRequest = Static<typeof SuspensionRequest>

export const Suspension = reply(
  {
    reason,
    until: Type.Optional(
      described(Timestamp, 'End of the suspension: RFC 3339, UTC, milliseconds. Absent without an end.'),
    ),
  },
  { $id: 'Suspension', description: 'Why and until when an account is suspended.' },
)
export type Suspension = Static<typeof Suspension>
