import { StorageError } from '../../db/errors.ts'
import { AppError } from '../errors.ts'
import { type Config, ConfigError, loadConfig, loadDotEnv } from '../config.ts'

/** @returns the settings of the server that would start here. @throws ConfigError */
export const settings = (): Config => {
  loadDotEnv()
  return loadConfig(process.env)
}

/** Runs what an operator called for; what can't be done is told in a sentence, and the exit code is 1. */
export const runForOperator = async (body: () => Promise<void>): Promise<void> => {
  try {
    await body()
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof StorageError || error instanceof AppError))
      throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
