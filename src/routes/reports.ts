import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ref } from '../../schemas/common.ts'
import { readProblems, writeProblems } from '../../schemas/problem.ts'
import { Report, ReportStatusRequest, ReportList, ReportParams, ReportsQuery } from '../../schemas/report.ts'
import { listReports, setReport } from '../chat/reports.ts'

const tags = ['App']

/** Reports as the app sees them. `POST /messages/{id}/reports` creates one. */
export const reportRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get(
    '/reports',
    {
      schema: {
        operationId: 'listReports',
        summary: 'List the reports of messages',
        description:
          'Newest first, with the text of each message when it was reported, also if it was changed or deleted since. If there are more than `limit`, or more than about 1 MiB of text, the reply has the `before` of the next page.',
        tags,
        querystring: ReportsQuery,
        response: { 200: ref(ReportList), ...readProblems('VALIDATION_FAILED') },
      },
    },
    ({ query }) => listReports(app.chat, query),
  )

  app.patch(
    '/reports/:id',
    {
      schema: {
        operationId: 'setReport',
        summary: 'Decide about a report',
        description:
          'Sets the status, and the note if it is given. It does nothing to the message or its sender: delete the message or suspend the user yourself. Repeating the request changes nothing.',
        tags,
        params: ReportParams,
        body: ref(ReportStatusRequest),
        response: { 200: ref(Report), ...writeProblems('VALIDATION_FAILED', 'REPORT_NOT_FOUND') },
      },
    },
    ({ params, body }) => setReport(app.chat, params.id, body),
  )
}
