import type { Chat } from './context.ts'
import { readHead } from './conversations.ts'

/**
 * Reads, and writes what changes nothing.
 * @throws StorageError; AppError `OVERLOADED`, `SHUTTING_DOWN`
 */
export const checkReady = async (chat: Chat): Promise<void> => {
  await readHead(chat)
  await chat.writer.append('probe', {})
}
