import type { Chat } from './context.ts'
import { readHead } from './cursors.ts'

/**
 * Reads, and writes what changes nothing.
 * @throws StorageError; AppError `STORAGE_UNAVAILABLE` when the disk does not answer, `OVERLOADED`, `SHUTTING_DOWN`
 */
export const checkReady = async (chat: Chat): Promise<void> => {
  await readHead(chat)
  await chat.probe()
}
