import { Type } from '@sinclair/typebox'
import {
  ConversationId,
  described,
  Id,
  idOf,
  openEnum,
  PageSize,
  ref,
  removable,
  replayed,
  reply,
  request,
  type Static,
  Timestamp,
  Username,
} from './common.ts'

export const ReportReason = Type.Unsafe<string>({
  ...openEnum(['spam', 'abuse', 'illegal', 'other'], {}),
  $id: 'ReportReason',
  minLength: 1,
  maxLength: 64,
  format: 'text',
  description: 'Why the message is reported: one of these values, or another one of your app’s.',
})

/** `src/chat/reports.ts` refuses other values: a closed enumeration would break clients that are older than a new value. */
export const reportStatuses = ['open', 'resolved', 'dismissed'] as const

export const ReportStatus = openEnum(reportStatuses, {
  $id: 'ReportStatus',
  maxLength: 64,
  description:
    '`open`: nobody has decided yet. `resolved`: something was done. `dismissed`: nothing had to be done. More values may be added: treat an unknown one as `open`.',
})
export type ReportStatus = Static<typeof ReportStatus>

const comment = {
  minLength: 1,
  maxLength: 1000,
  format: 'text',
  description: 'What the member adds to the reason: 1 to 1,000 code points.',
}

const note = {
  minLength: 1,
  maxLength: 1000,
  format: 'text',
  description: 'Note of the app, which no user sees: 1 to 1,000 code points.',
}

export const ReportRequest = request(
  { reason: ref(ReportReason), comment: Type.Optional(Type.String(comment)) },
  { $id: 'ReportRequest', description: 'Why a message is reported.' },
)
export type ReportRequest = Static<typeof ReportRequest>

const sentReport = {
  id: described(Id, 'Id of the report.'),
  message_id: described(Id, 'Id of the reported message.'),
  reason: ref(ReportReason),
  comment: Type.Optional(Type.String(comment)),
  created_at: described(Timestamp, 'Time of the report: RFC 3339, UTC, milliseconds.'),
}

export const SentReport = reply(sentReport, {
  $id: 'SentReport',
  description: 'A report as the member who made it sees it.',
})
export type SentReport = Static<typeof SentReport>

/** Response headers of a report. */
export const sentReportHeaders = replayed(
  'Present only if you reported the message before. The response is the first report.',
)

export const Report = reply(
  {
    ...sentReport,
    conversation_id: ConversationId,
    sender: described(Username, 'Username of the sender of the message.'),
    reporter: described(Username, 'Username of the member who reported the message.'),
    content: Type.String({ description: 'Text of the message when it was reported.' }),
    status: ref(ReportStatus),
    note: Type.Optional(Type.String(note)),
  },
  { $id: 'Report', description: 'A report of a message, with the text that the member saw.' },
)
export type Report = Static<typeof Report>

export const ReportList = reply(
  {
    reports: Type.Array(ref(Report), { description: 'Reports, newest first.' }),
    before: Type.Optional(
      described(Id, 'Send it as `before` to get the next page. Absent on the last page.'),
    ),
  },
  { $id: 'ReportList', description: 'A page of reports, newest first.' },
)
export type ReportList = Static<typeof ReportList>

export const ReportsQuery = request({
  status: Type.Optional(
    openEnum(reportStatuses, { maxLength: 64, description: 'Only reports with this status.' }),
  ),
  limit: PageSize,
  before: Type.Optional(described(Id, '`before` of the previous page.')),
})
export type ReportsQuery = Static<typeof ReportsQuery>

export const ReportParams = request({ id: idOf('report', 8) })

export const ReportStatusRequest = request(
  {
    status: ref(ReportStatus),
    note: removable<string>('string', note),
  },
  {
    $id: 'ReportStatusRequest',
    description: 'What the app decides about a report. An absent note stays as it is.',
  },
)
export type ReportStatusRequest = Static<typeof ReportStatusRequest>
