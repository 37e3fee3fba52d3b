import { Type } from '@sinclair/typebox'
import { described, Id, openEnum, ref, reply, type Static, Timestamp, Username } from './common.ts'

export const ReportStatus = openEnum(['open', 'closed'], {
  $id: 'ReportStatus',
  description:
    'Whether somebody has dealt with the report. More values may be added: treat an unknown one as `open`.',
})

export const Report = reply(
  {
    id: described(Id, 'Id of the report.'),
    message_id: described(Id, 'Id of the reported message.'),
    reporter: described(Username, 'Username of the member who reported the message.'),
    reason: Type.String({ description: 'The reason that the member chose.' }),
    comment: Type.Optional(Type.String({ description: 'What the member wrote. Absent if nothing.' })),
    content: Type.String({ description: 'Text of the message when it was reported.' }),
    created_at: described(Timestamp, 'Time of the report: RFC 3339, UTC, milliseconds.'),
    status: ref(ReportStatus),
    note: Type.Optional(Type.String({ description: 'Note of the app. Absent if there is none.' })),
  },
  { $id: 'Report', description: 'A message that a member reported, as it was at that time.' },
)
export type Report = Static<typeof Report>
