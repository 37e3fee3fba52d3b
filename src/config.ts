import { existsSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { loadEnvFile } from 'node:process'
import { Ajv, type ErrorObject } from 'ajv'
import ipaddr from 'ipaddr.js'
import { Environment } from '../schemas/environment.ts'
import { trusted } from '../schemas/trusted.ts'

export type Config = Readonly<Environment>

/** A mistake in the environment. The message is a sentence for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads the configuration from environment variables. A variable that is absent or empty has its default.
 * @throws ConfigError that names each invalid variable, or the first one that production requires
 */
export const loadConfig = (env: Record<string, string | undefined>): Config => {
  const ajv = new Ajv({
    ...trusted,
    coerceTypes: true,
    useDefaults: true,
    allErrors: true,
    removeAdditional: 'all',
    // The generated code runs once.
    code: { optimize: false },
  })
  const config = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== '' && value !== undefined),
  )
  if (!ajv.validate({ ...Environment, additionalProperties: false }, config)) {
    const sentences = (ajv.errors as ErrorObject[]).map(({ instancePath, message, params }) => {
      const allowed = 'allowedValues' in params ? ` (${params.allowedValues.join(', ')})` : ''
      return `${instancePath.slice(1)} ${message}${allowed}`
    })
    throw new ConfigError(`The environment is not valid: ${sentences.join('; ')}. See .env.example.`)
  }
  return Object.freeze(checkProduction(checkLists(config as unknown as Environment)))
}

/** @returns the name of this process in logs and metrics */
export const nodeName = ({ NODE_NAME }: Config): string => NODE_NAME ?? `${hostname()}-${process.pid}`

/** Loads `.env` of the working directory if it exists. Variables that are already set keep their values. */
export const loadDotEnv = () => {
  if (existsSync('.env')) loadEnvFile('.env')
}

const MIN_SECRET_BYTES = 32

/** @returns the entries of a comma-separated list, trimmed, without empty ones */
export const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')

const checkLists = (config: Environment) => {
  for (const proxy of listOf(config.TRUST_PROXY)) {
    if (!isNetwork(proxy) && !['loopback', 'linklocal', 'uniquelocal'].includes(proxy)) {
      throw new ConfigError(
        `TRUST_PROXY has "${proxy}", which is not an address or a network such as 10.0.0.0/8.`,
      )
    }
  }
  for (const name of ['CORS_ORIGINS', 'AVATAR_ORIGINS'] as const) {
    for (const origin of listOf(config[name])) {
      if (URL.parse(origin)?.origin !== origin) {
        throw new ConfigError(
          `${name} has "${origin}", which is not an origin such as https://chat.example.org.`,
        )
      }
    }
  }
  return config
}

/** ipaddr.js also accepts 1, 10/8 and 10.0.0.0/0, which are more likely to be mistakes. */
const isNetwork = (text: string) => {
  const [address = '', bits] = text.split('/')
  return isIP(address) !== 0 && (bits === undefined || (/^[1-9]/.test(bits) && ipaddr.isValidCIDR(text)))
}

const checkProduction = (config: Environment) => {
  if (config.NODE_ENV !== 'production') return config
  // The previous secret still verifies tokens, so an attacker who guesses it can sign them.
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    if (config[name] && Buffer.byteLength(config[name]) < MIN_SECRET_BYTES) {
      throw new ConfigError(
        `${name} is shorter than ${MIN_SECRET_BYTES} bytes, which is too short for production. Use a longer secret.`,
      )
    }
  }
  if (!config.AUTH_MODE) {
    throw new ConfigError(
      'AUTH_MODE is not set. In production set it to "password", to "external" to accept only tokens of your app, or to "open" to allow logins without a password.',
    )
  }
  return config
}
