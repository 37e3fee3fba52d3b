import {
  accountNamed,
  createAccount,
  createServerKey,
  resetPassword,
  revokeEveryToken,
  revokeServerKey,
  revokeTokens,
  rotateSecret,
} from '../chat/administration.ts'
import type { Chat } from '../chat/context.ts'
import { asAppError } from '../chat/failures.ts'
import { removeAccount } from '../chat/removal.ts'
import type { Secrets } from '../chat/secrets.ts'
import type { Reply } from './control.ts'

/** The objects that commands use: those of the running server, or of a database that is opened for one command. */
export type CommandContext = { chat: Chat; secrets: Secrets }

/** All commands that change something. They work whether the server runs or not. */
const commands = {
  'create-user': ({ chat }: CommandContext, account: { username: string; password?: string }) =>
    createAccount(chat, account),
  'remove-user': async ({ chat }: CommandContext, { username }: { username: string }) =>
    removeAccount(chat, await accountNamed(chat, username)),
  'set-password': async (
    { chat }: CommandContext,
    { username, password }: { username: string; password: string },
  ) => resetPassword(chat, await accountNamed(chat, username), password),
  'revoke-tokens': async ({ chat }: CommandContext, { username }: { username: string }) =>
    revokeTokens(chat, await accountNamed(chat, username)),
  'revoke-every-token': ({ chat }: CommandContext) => revokeEveryToken(chat),
  'rotate-secret': async ({ chat, secrets }: CommandContext, { urgent }: { urgent: boolean }) =>
    rotateSecret(chat, secrets, urgent),
  'create-key': ({ chat }: CommandContext, key: { name: string; hash: string }) => createServerKey(chat, key),
  'revoke-key': ({ chat }: CommandContext, { name }: { name: string }) => revokeServerKey(chat, name),
}
export type Commands = typeof commands
export type Arguments<K extends keyof Commands> =
  Parameters<Commands[K]> extends [unknown, infer A] ? A & object : object

/**
 * Runs a command of the operator. `request` is trusted, because only the server's own user can open the control socket.
 * @throws an unexpected error; a refusal is a reply
 */
export const runCommand = async (context: CommandContext, request: unknown): Promise<Reply> => {
  const { command, ...args } = request as { command: keyof Commands }
  if (!Object.hasOwn(commands, command)) return { ok: false, message: 'Unknown command.' }
  try {
    return { ok: true, value: await commands[command](context, args as never) }
  } catch (cause) {
    const error = asAppError(cause)
    if (!error) throw cause
    return { ok: false, message: error.message }
  }
}
