import * as queries from '../../db/queries/reports.ts'
import { OPEN } from '../../db/tables.ts'
import {
  type Report,
  type ReportList,
  type ReportRequest,
  type ReportStatus,
  type ReportStatusRequest,
  type ReportsQuery,
  reportStatuses,
  type SentReport,
} from '../../schemas/report.ts'
import { invalid } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { timestamp } from './messages.ts'
import { countFitting, maxRows } from './page-bytes.ts'

/**
 * Reports a message that I can see to the app.
 * @returns the report; for a message that I reported before the first report, and `duplicate`
 * @throws AppError `RATE_LIMITED`, and as the operation `report`
 */
export const reportMessage = async (
  chat: Chat,
  me: Identity,
  { message_id, reason, comment }: ReportRequest & { message_id: number },
): Promise<{ report: SentReport; duplicate: boolean }> => {
  chat.changeLimit(me)
  const input = { user_id: me.user_id, message_id, reason, comment }
  const { report, duplicate } = await chat.writer.append('report', input)
  return { report: toSentReport(report), duplicate }
}

/**
 * @returns a page of reports, newest first, of at most about 1 MiB of text
 * @throws AppError `VALIDATION_FAILED` for a status that no report can have
 */
export const listReports = async (
  { reader, config }: Chat,
  { status, limit: requested, before = OPEN }: ReportsQuery,
): Promise<ReportList> => {
  if (status !== undefined) checkStatus(status)
  const limit = maxRows(config, requested)
  const page = { before, limit: limit + 1 }
  const rows = await (status === undefined
    ? reader.all(queries.reportsBefore, page)
    : reader.all(queries.reportsWithStatus, { ...page, status }))
  const texts = rows.map(({ content, comment, note }) => ({
    content: `${content}${comment ?? ''}${note ?? ''}`,
  }))
  const shown = rows.slice(0, countFitting(texts, limit))
  const last = shown.length < rows.length ? shown.at(-1) : undefined
  return { reports: shown.map(toReport), ...(last && { before: last.id }) }
}

/**
 * Sets the status and the note of a report.
 * @returns the report
 * @throws AppError `VALIDATION_FAILED`, and as the operation `setReport`
 */
export const setReport = async (
  chat: Chat,
  id: number,
  { status, note }: ReportStatusRequest,
): Promise<Report> => {
  checkStatus(status)
  await chat.writer.append('setReport', { id, status, note })
  return toReport((await chat.reader.get(queries.namedReport, { id })) as Row)
}

const checkStatus = (status: ReportStatus) => {
  if (!reportStatuses.includes(status))
    throw invalid('/status', `must be one of ${reportStatuses.join(', ')}`)
}

type Row = NonNullable<(typeof queries.namedReport)['row']>

type Sent = Pick<Row, 'id' | 'message_id' | 'reason' | 'comment' | 'created_at'>

const toSentReport = ({ id, message_id, reason, comment, created_at }: Sent): SentReport => ({
  id,
  message_id,
  reason,
  ...(comment !== null && { comment }),
  created_at: timestamp(created_at),
})

/** @returns a report as the app sees it */
export const toReport = (row: Row): Report => ({
  ...toSentReport(row),
  conversation_id: row.conversation_id,
  sender: row.sender,
  reporter: row.reporter,
  content: row.content,
  status: row.status as Report['status'],
  ...(row.note !== null && { note: row.note }),
})
