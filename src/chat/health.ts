import type { Chat } from './context.ts'
import { readHead } from './cursors.ts'

/**
 * Checks that the database can be read and written. The write changes no row.
 * @throws StorageError; AppError `STORAGE_UNAVAILABLE` if the disk does not respond within 1 s, `OVERLOADED`, `SHUTTING_DOWN`
 */
export const checkReady = async (chat: Chat): Promise<void> => {
  await readHead(chat.reader)
  await chat.probe()
}
