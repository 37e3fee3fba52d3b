import type { StoredWebhook } from '../../db/deliveries.ts'
import * as queries from '../../db/queries/webhooks.ts'
import type { Chat } from '../chat/context.ts'
import type { Report } from '../chat/failures.ts'
import type { Attempt, Receiver } from './sending.ts'

type Bytes = { id: string; body: string }

export type AttemptTools = {
  chat: Chat
  /** The server stops. */
  stop: AbortSignal
  send: (receiver: Receiver, batch: Bytes, end: AbortSignal) => Promise<Attempt>
  /** Receives the error of a read or write, after which the delivery continues. */
  report: Report
}

/** Makes the attempts of one delivery, one at a time. A change of the webhook ends the one that is under way. */
export const createAttempts = ({ chat, stop, send, report }: AttemptTools, name: string) => {
  /** The batch that was last stored or read. */
  let bytes: Bytes | undefined
  let underWay: { version: number; ending: AbortController } | undefined

  const readRow = () => chat.reader.get(queries.webhookByName, { name })

  const bytesOf = async ({ batch_id }: StoredWebhook) => {
    if (bytes?.id === batch_id) return bytes
    const found = await chat.reader.get(queries.batchOf, { name })
    bytes = found && { id: found.batch_id as string, body: found.batch as string }
    return bytes
  }

  /** No step is stored during an attempt, so another version is a change. */
  const endOutdated = async () => {
    const attempt = underWay
    if (!attempt || stop.aborted) return
    const row = await readRow()
    if (row?.version !== attempt.version) attempt.ending.abort()
  }

  return {
    remember(batch: Bytes) {
      bytes = batch
    },
    /**
     * Sends the batch in flight.
     * @returns undefined if the row is no longer `from`, or the server stops. An answer does not count then.
     */
    async make(from: StoredWebhook): Promise<Attempt | undefined> {
      const ending = new AbortController()
      const end = AbortSignal.any([stop, ending.signal])
      underWay = { version: from.version, ending }
      try {
        const batch = await bytesOf(from)
        // Read after the batch: with this version, the batch is that of the row. The URL and the secrets may have changed.
        const receiver = await readRow()
        if (receiver?.version !== from.version || !batch) return undefined
        const attempt = await send(receiver, batch, end)
        return end.aborted ? undefined : attempt
      } finally {
        underWay = undefined
      }
    },
    /** The row may have been changed. */
    noticeChange() {
      // If the read fails, the attempt takes its time.
      endOutdated().catch(report)
    },
  }
}
