import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { type Config, ConfigError } from '../config.ts'

/** A secret that verifies tokens until a time, in milliseconds since 1970. */
export type VerifyingSecret = { secret: string; until: number }

/** The secrets that sign and verify tokens. */
export type Secrets = {
  /** The secret that signs new tokens. */
  readonly current: string
  /** @returns all secrets that verify tokens, the current one first. */
  verifying(): VerifyingSecret[]
  /**
   * Replaces the current secret with a new random one.
   * @param keepMs milliseconds for which the old secret still verifies; 0 invalidates every token that it signed
   * @returns false if the secret is set by the environment and cannot be replaced
   */
  rotate(keepMs: number): boolean
}

/** Stores files next to the database. See the contract of `Database`. */
type FileStore = {
  beside(extension: string): string
  writeBeside(extension: string, text: string, replace: boolean): void
}

/**
 * @param files holds the secret if JWT_SECRET is not set
 * @throws ConfigError if the file of the secret is empty
 */
export const openSecrets = ({ JWT_SECRET, JWT_SECRET_PREVIOUS }: Config, files: FileStore): Secrets =>
  JWT_SECRET ? environmentSecrets(JWT_SECRET, JWT_SECRET_PREVIOUS) : storedSecrets(files)

/** @param previous the previous secret, which still verifies */
const environmentSecrets = (current: string, previous: string | undefined): Secrets => ({
  current,
  verifying: () =>
    previous === undefined ? [permanent(current)] : [permanent(current), permanent(previous)],
  rotate: () => false,
})

const permanent = (secret: string): VerifyingSecret => ({ secret, until: Infinity })

/**
 * Stores the secrets in a file next to the database. The first start creates the file, readable by its owner only. The first
 * line is the current secret. Each other line is a previous secret and the time (milliseconds since 1970) until which it
 * verifies.
 */
const storedSecrets = (files: FileStore): Secrets => {
  const path = files.beside('key')
  if (!existsSync(path)) files.writeBeside('key', `${newSecret()}\n`, false)
  chmodSync(path, 0o600)
  const [first = '', ...more] = readFileSync(path, 'utf8').trim().split('\n')
  let current = first.trim()
  if (current === '') {
    throw new ConfigError(
      `${path} holds no secret. Delete it: the next start creates a new secret, and all users must log in again.`,
    )
  }
  let retired = more.map((line): VerifyingSecret => {
    const [secret = '', until] = line.trim().split(' ')
    return { secret, until: Number(until) }
  })
  // Only a rotation deletes a secret, because the clock may be wrong at the moment.
  const verifying = () => retired.filter(({ until }) => until > Date.now())
  return {
    get current() {
      return current
    },
    verifying: () => [permanent(current), ...verifying()],
    rotate(keepMs) {
      const next = newSecret()
      const kept = keepMs > 0 ? [{ secret: current, until: Date.now() + keepMs }, ...verifying()] : []
      const lines = [next, ...kept.map(({ secret, until }) => `${secret} ${until}`)]
      // Write first, so that no token is signed with a secret that a crash loses.
      files.writeBeside('key', `${lines.join('\n')}\n`, true)
      current = next
      retired = kept
      return true
    },
  }
}

const newSecret = () => randomBytes(32).toString('base64url')
