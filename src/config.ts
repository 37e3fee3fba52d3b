import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { loadEnvFile } from 'node:process'
import { Ajv, type ErrorObject } from 'ajv'
import { Environment } from '../schemas/environment.ts'

export type Config = Readonly<Environment>

/** What one who starts the server did wrong, in a sentence for them. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads the environment: what is absent or empty takes its default.
 * @throws ConfigError naming each variable that is wrong, or what production needs
 */
export const loadConfig = (env: Record<string, string | undefined>): Config => {
  const ajv = new Ajv({
    coerceTypes: true,
    useDefaults: true,
    allErrors: true,
    removeAdditional: 'all',
    // To compile the schema of schemas for our own takes longer than all else here: 60 ms of a start.
    meta: false,
    validateSchema: false,
  })
  const config = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== '' && value !== undefined),
  )
  if (!ajv.validate({ ...Environment, additionalProperties: false }, config)) {
    const sentences = (ajv.errors as ErrorObject[]).map(({ instancePath, message, params }) => {
      const allowed = 'allowedValues' in params ? ` (${params.allowedValues.join(', ')})` : ''
      return `${instancePath.slice(1)} ${message}${allowed}`
    })
    throw new ConfigError(`The environment is not right: ${sentences.join('; ')}. See .env.example.`)
  }
  return Object.freeze(checkProduction(checkLists(config as unknown as Environment)))
}

/** Loads `.env` of this folder, where there is one; what the environment has already said stays. */
export const loadDotEnv = () => {
  if (existsSync('.env')) loadEnvFile('.env')
}

export const MIN_SECRET_BYTES = 32

/** @returns the entries of a list that is separated by commas. */
export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

const checkLists = (config: Environment) => {
  for (const proxy of listOf(config.TRUST_PROXY)) {
    const [address = '', bits] = proxy.split('/')
    const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] as number
    const isNetwork = most > 0 && (bits === undefined || (/^[1-9]\d*$/.test(bits) && Number(bits) <= most))
    if (!isNetwork && !['loopback', 'linklocal', 'uniquelocal'].includes(proxy)) {
      throw new ConfigError(
        `TRUST_PROXY has "${proxy}", which is not an address or a network such as 10.0.0.0/8.`,
      )
    }
  }
  for (const origin of listOf(config.CORS_ORIGINS)) {
    if (URL.parse(origin)?.origin !== origin) {
      throw new ConfigError(
        `CORS_ORIGINS has "${origin}", which is not an origin such as https://chat.example.org.`,
      )
    }
  }
  return config
}

const checkProduction = (config: Environment) => {
  if (config.NODE_ENV !== 'production') return config
  // The one before verifies as well: who guesses it can sign.
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    if (config[name] && Buffer.byteLength(config[name]) < MIN_SECRET_BYTES) {
      throw new ConfigError(`${name} is shorter than ${MIN_SECRET_BYTES} bytes: too short for production.`)
    }
  }
  if (!config.AUTH_MODE) {
    throw new ConfigError(
      'AUTH_MODE is not set: production wants it said, "password", or "open" for names without one.',
    )
  }
  return config
}
