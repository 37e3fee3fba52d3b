import { asApp } from './as-app.ts'

type Report = { id: number; message_id: number; sender: string; content: string }

/** A real app shows the report to a person. */
const isInsult = ({ content }: Report) => /\bidiot\b/i.test(content)

/** Decides about the open reports. Every call may be repeated: an app that fails in between decides at its next start. */
export const moderate = async () => {
  const { reports } = await asApp<{ reports: Report[] }>('GET', '/reports?status=open')
  for (const report of reports) {
    // If one fails, the others are still decided. It fails, for example, if its sender was removed.
    await decide(report).catch((error: Error) => console.error(`report ${report.id}: ${error.message}`))
  }
}

const decide = async (report: Report) => {
  const isUpheld = isInsult(report)
  if (isUpheld) await punish(report)
  await asApp('PATCH', `/reports/${report.id}`, { status: isUpheld ? 'resolved' : 'dismissed' })
  console.log(`report of "${report.content}" ${isUpheld ? 'upheld' : 'dismissed'}`)
}

const punish = async ({ message_id, sender }: Report) => {
  await asApp('DELETE', `/messages/${message_id}`)
  const until = new Date(Date.now() + 86_400_000).toISOString()
  const suspension = { reason: 'You insulted somebody.', until }
  await asApp('PUT', `/users/${encodeURIComponent(sender)}/suspension`, suspension)
}
