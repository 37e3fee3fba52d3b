import { Console } from 'node:console'
import type { Readable, Writable } from 'node:stream'
import { type Command, CommanderError } from 'commander'
import { StorageError } from '../../db/errors.ts'
import { type Config, ConfigError, loadConfig, loadDotEnv } from '../config.ts'
import { AppError } from '../errors.ts'

/** The streams and the environment of a command. `process` is one. */
export type Terminal = {
  stdin: Readable & { isTTY?: boolean }
  stdout: Writable
  stderr: Writable
  env: Record<string, string | undefined>
}

/** @returns the configuration that a server started here would have. @throws ConfigError */
export const settings = ({ env }: Terminal): Config => {
  loadDotEnv()
  return loadConfig(env)
}

export const consoleOf = ({ stdout, stderr }: Terminal) => new Console({ stdout, stderr })

/**
 * Parses the arguments and runs the command. A mistake of the operator is printed as a sentence.
 * @returns the exit code
 */
export const run = async (program: Command, args: readonly string[], terminal: Terminal): Promise<number> => {
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    })
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    /* c8 ignore next -- a bug */
    if (!isForOperator(error)) throw error
    terminal.stderr.write(`${error.message}\n`)
    return 1
  }
}

const isForOperator = (error: unknown): error is Error =>
  error instanceof ConfigError || error instanceof StorageError || error instanceof AppError
