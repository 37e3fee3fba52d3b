import { createInterface } from 'node:readline'
import type { Messenger, MessengerError, SendRequest } from '../src/index.ts'

/** @param to the name of a user, or `#3` for the conversation with the id 3. */
export const addressOf = (to: string): Pick<SendRequest, 'receiver_username' | 'conversation_id'> =>
  /^#\d+$/.test(to) ? { conversation_id: Number(to.slice(1)) } : { receiver_username: to }

/** @returns a promise that resolves with the reason when the client stops. Pending messages are then never sent. */
export const whenStopped = (messenger: Messenger): Promise<MessengerError> =>
  new Promise((resolve) => {
    messenger.on('state', ({ state, error }) => {
      if (state === 'stopped') resolve(error as MessengerError)
    })
  })

/**
 * Sends each line of the standard input as a message, except empty lines. Resolves when all messages are stored.
 * @throws MessengerError the first refusal, or the reason why the client stopped
 */
export const sendLines = async (messenger: Messenger, to: string): Promise<void> => {
  const sent: Promise<unknown>[] = []
  const lines = createInterface({ input: process.stdin })
  const stopped = whenStopped(messenger).then((error) => {
    // The writer of the pipe may never end it. An open input would keep the process running.
    lines.close()
    throw error
  })
  const sendAll = async () => {
    for await (const content of lines) {
      if (content !== '') sent.push(messenger.send({ ...addressOf(to), content }))
      // `Promise.all` reports a refusal at the end. Until then it must not count as unhandled.
      sent.at(-1)?.catch(() => {})
    }
    await Promise.all(sent)
  }
  await Promise.race([sendAll(), stopped])
}
