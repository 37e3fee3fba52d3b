import { AppError } from '../../src/errors.ts'
import * as messages from '../queries/messages.ts'
import * as reports from '../queries/reports.ts'
import type { Transaction } from '../transaction.ts'
import { actor, messageNotFound } from './access.ts'

export type Report = { user_id: number; message_id: number; reason: string; comment?: string | undefined }
/** An absent `note` stays as it is; null removes it. */
export type SetReport = { id: number; status: string; note?: string | null | undefined }

type Stored = NonNullable<(typeof reports.reportById)['row']>

/**
 * Reports a message, with its present content. A repeat of the same user returns the first report, whatever it says.
 * @throws AppError `MESSAGE_NOT_FOUND` if the user may not see the message, `MESSAGE_DELETED`
 */
export const report = (tx: Transaction, input: Report): { report: Stored; duplicate: boolean } => {
  const { id: reporter_id } = actor(tx, input.user_id)
  const { message_id, reason, comment = null } = input
  const first = tx.get(reports.reportOnce, { message_id, reporter_id })
  if (first) return { report: first, duplicate: true }
  const message = tx.get(messages.visibleMessage, { id: message_id, user_id: reporter_id })
  if (!message) throw messageNotFound()
  if (message.deleted_at !== null) throw new AppError('MESSAGE_DELETED', 'A deleted message has no content.')
  const made = {
    id: tx.next(),
    message_id,
    reporter_id,
    reason,
    comment,
    content: message.content,
    created_at: tx.now,
    status: 'open',
    note: null,
  }
  tx.run(reports.insertReport, made)
  tx.publish(made.id, [], { type: 'report' })
  return { report: made, duplicate: false }
}

/** Sets the status and the note of a report. @throws AppError `REPORT_NOT_FOUND` */
export const setReport = (tx: Transaction, { id, status, note }: SetReport): void => {
  const stored = tx.get(reports.reportById, { id })
  if (!stored) throw new AppError('REPORT_NOT_FOUND', 'There is no report with this id.')
  const changed = { ...stored, status, note: note === undefined ? stored.note : note }
  if (changed.status !== stored.status || changed.note !== stored.note) tx.run(reports.setReport, changed)
}
