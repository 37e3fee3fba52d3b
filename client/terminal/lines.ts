import { createInterface } from 'node:readline'
import type { Messenger, SendRequest } from '../src/index.ts'

/** @param to a name, or `#3` for the conversation with that id */
export const addressOf = (to: string): Pick<SendRequest, 'receiver_username' | 'conversation_id'> =>
  /^#\d+$/.test(to) ? { conversation_id: Number(to.slice(1)) } : { receiver_username: to }

/** Sends each line of the input as a message. Resolves when all are stored. @throws MessengerError for the first refusal */
export const sendLines = async (messenger: Messenger, to: string): Promise<void> => {
  const sent: Promise<unknown>[] = []
  for await (const content of createInterface({ input: process.stdin })) {
    if (content !== '') sent.push(messenger.send({ ...addressOf(to), content }))
    // Told at the end; until then it is nobody's.
    sent.at(-1)?.catch(() => {})
  }
  await Promise.all(sent)
}
