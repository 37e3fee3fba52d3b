import type { Kysely } from 'kysely'
import { query } from '../query.ts'
import { scopes } from '../scopes.ts'
import type { Tables } from '../tables.ts'

const stored = [
  'reports.id',
  'reports.message_id',
  'reports.reporter_id',
  'reports.reason',
  'reports.comment',
  'reports.content',
  'reports.created_at',
  'reports.status',
  'reports.note',
] as const

/** Reports with the conversation and the names of their users. `cross join` fixes the join order: the reports come first. */
export const namedReports = (db: Kysely<Tables>) =>
  db
    .selectFrom('reports')
    .crossJoin('messages')
    .crossJoin('users as sender')
    .crossJoin('users as reporter')
    .select(stored)
    .select(['messages.conversation_id', 'sender.username as sender', 'reporter.username as reporter'])
    .whereRef('messages.id', '=', 'reports.message_id')
    .whereRef('sender.id', '=', 'messages.sender_id')
    .whereRef('reporter.id', '=', 'reports.reporter_id')

type Page = { before: number; limit: number }

/** A page of all reports, the newest first. */
export const reportsBefore = query<Page>()((db, arg) =>
  namedReports(db).where('reports.id', '<', arg('before')).orderBy('reports.id', 'desc').limit(arg('limit')),
)

/** A page of the reports with a status, the newest first. */
export const reportsWithStatus = query<Page & { status: string }>()((db, arg) =>
  namedReports(db)
    .where('reports.status', '=', arg('status'))
    .where('reports.id', '<', arg('before'))
    .orderBy('reports.id', 'desc')
    .limit(arg('limit')),
)

export const namedReport = query<{ id: number }>()((db, arg) =>
  namedReports(db).where('reports.id', '=', arg('id')),
)

export const reportById = query<{ id: number }>(({ id }) => [scopes.report(id)])((db, arg) =>
  db.selectFrom('reports').select(stored).where('id', '=', arg('id')),
)

/** The report of a message by a user. */
export const reportOnce = query<{ message_id: number; reporter_id: number }>(
  ({ message_id, reporter_id }) => [scopes.reportKey(message_id, reporter_id)],
)((db, arg) =>
  db
    .selectFrom('reports')
    .select(stored)
    .where('message_id', '=', arg('message_id'))
    .where('reporter_id', '=', arg('reporter_id')),
)

const written = ({
  id,
  message_id,
  reporter_id,
}: {
  id: number
  message_id: number
  reporter_id: number
}) => [scopes.report(id), scopes.reportKey(message_id, reporter_id)]

export const insertReport = query<Omit<Tables['reports'], 'note'>>(written)((db, arg) =>
  db.insertInto('reports').values({
    id: arg('id'),
    message_id: arg('message_id'),
    reporter_id: arg('reporter_id'),
    reason: arg('reason'),
    comment: arg('comment'),
    content: arg('content'),
    created_at: arg('created_at'),
    status: arg('status'),
    note: null,
  }),
)

export const setReport = query<{
  id: number
  message_id: number
  reporter_id: number
  status: string
  note: string | null
}>(written)((db, arg) =>
  db
    .updateTable('reports')
    .set({ status: arg('status'), note: arg('note') })
    .where('id', '=', arg('id')),
)
