import { controlPath, openDatabase } from '../../db/open.ts'
import { createChat } from '../chat/context.ts'
import type { Config } from '../config.ts'
import { AppError } from '../errors.ts'
import { createBus } from '../bus/create-bus.ts'
import { openSecrets } from '../chat/secrets.ts'
import { type Arguments, type Commands, runCommand } from './commands.ts'
import { callControl, controlAddress, type Reply } from './control.ts'

/**
 * Runs a command in the server if one runs, because only the server may write then; otherwise on the database itself.
 * @returns the result of the command
 * @throws AppError if the command is refused; StorageError if the database cannot be opened
 */
export const change = async <K extends keyof Commands>(
  config: Config,
  command: K,
  args: Arguments<K> & object,
): Promise<Awaited<ReturnType<Commands[K]>>> => {
  const request = { command, ...args }
  const address = controlAddress(controlPath(config.DATABASE_URL))
  const reply = (address && (await callControl(address, request))) || (await runAlone(config, request))
  if (!reply.ok) throw new AppError('BAD_REQUEST', reply.message)
  return reply.value as Awaited<ReturnType<Commands[K]>>
}

const runAlone = async (config: Config, request: object): Promise<Reply> => {
  const database = await openDatabase(config.DATABASE_URL, { maxQueue: config.MAX_QUEUE })
  try {
    const chat = createChat(config, database, createBus(undefined, console.error), console.error)
    const secrets = await openSecrets(config, database.texts)
    try {
      return await runCommand({ chat, secrets }, request)
    } finally {
      chat.removalSteps.stop()
      chat.load.stop()
    }
  } finally {
    await database.close()
  }
}
