import { createInterface } from 'node:readline'
import type { Messenger, MessengerError, SendRequest } from '../src/index.ts'

/** @param to a name, or `#3` for the conversation with that id */
export const addressOf = (to: string): Pick<SendRequest, 'receiver_username' | 'conversation_id'> =>
  /^#\d+$/.test(to) ? { conversation_id: Number(to.slice(1)) } : { receiver_username: to }

/** @returns a promise for the reason for which the client connects no more: what waits then waits for ever. */
export const whenStopped = (messenger: Messenger): Promise<MessengerError> =>
  new Promise((resolve) => {
    messenger.on('state', ({ state, error }) => {
      if (state === 'stopped') resolve(error as MessengerError)
    })
  })

/**
 * Sends each line of the input as a message. Resolves when all are stored.
 * @throws MessengerError for the first refusal, or the reason for which the client stopped
 */
export const sendLines = async (messenger: Messenger, to: string): Promise<void> => {
  const sent: Promise<unknown>[] = []
  const lines = createInterface({ input: process.stdin })
  const stopped = whenStopped(messenger).then((error) => {
    // Whoever writes into the pipe may never end.
    lines.close()
    throw error
  })
  const sendAll = async () => {
    for await (const content of lines) {
      if (content !== '') sent.push(messenger.send({ ...addressOf(to), content }))
      // Told at the end; until then it is nobody's.
      sent.at(-1)?.catch(() => {})
    }
    await Promise.all(sent)
  }
  await Promise.race([sendAll(), stopped])
}
