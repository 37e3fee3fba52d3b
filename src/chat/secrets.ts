import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { type Config, ConfigError } from '../config.ts'

/** A secret that tokens are verified with, and until when: ms since 1970. */
export type VerifyingSecret = { secret: string; until: number }

/** What signs tokens and what they are verified with. */
export type Secrets = {
  /** The one that signs. */
  readonly current: string
  /** All that verify; the current one first. */
  verifying(): VerifyingSecret[]
  /**
   * Signs with a new one from now on.
   * @param keepMs how long the last one still verifies; 0 ends every token that it signed
   * @returns false where the secret is not ours to change: it came with the environment
   */
  rotate(keepMs: number): boolean
}

/** The database, beside which a file keeps them: `Database` says what each does. */
type Place = {
  beside(extension: string): string
  writeBeside(extension: string, text: string, replace: boolean): void
}

/** @param place is looked at where the environment says none */
export const openSecrets = ({ JWT_SECRET, JWT_SECRET_PREVIOUS }: Config, place: Place): Secrets =>
  JWT_SECRET ? givenSecrets(JWT_SECRET, JWT_SECRET_PREVIOUS) : keptSecrets(place)

/** @param previous what signed before, and still verifies. */
const givenSecrets = (current: string, previous: string | undefined): Secrets => ({
  current,
  verifying: () => (previous === undefined ? [lasting(current)] : [lasting(current), lasting(previous)]),
  rotate: () => false,
})

const lasting = (secret: string): VerifyingSecret => ({ secret, until: Infinity })

/**
 * The secret that is kept in a file beside the database; at the first start one is made, readable by its owner only.
 * Its first line signs; each other one is what signed before, and the time (ms since 1970) until which it verifies.
 */
const keptSecrets = (place: Place): Secrets => {
  const path = place.beside('key')
  if (!existsSync(path)) place.writeBeside('key', `${newSecret()}\n`, false)
  chmodSync(path, 0o600)
  const [first = '', ...more] = readFileSync(path, 'utf8').trim().split('\n')
  let current = first.trim()
  if (current === '') {
    throw new ConfigError(
      `${path} holds no secret. Delete it, and the next start makes a new one; everybody then logs in again.`,
    )
  }
  let retired = more.map((line): VerifyingSecret => {
    const [secret = '', until] = line.trim().split(' ')
    return { secret, until: Number(until) }
  })
  // Only a rotation forgets one: the clock may be wrong at the moment.
  const verifying = () => retired.filter(({ until }) => until > Date.now())
  return {
    get current() {
      return current
    },
    verifying: () => [lasting(current), ...verifying()],
    rotate(keepMs) {
      const next = newSecret()
      const kept = keepMs > 0 ? [{ secret: current, until: Date.now() + keepMs }, ...verifying()] : []
      const lines = [next, ...kept.map(({ secret, until }) => `${secret} ${until}`)]
      // First, so that no token is signed with a secret that a crash takes away.
      place.writeBeside('key', `${lines.join('\n')}\n`, true)
      current = next
      retired = kept
      return true
    },
  }
}

const newSecret = () => randomBytes(32).toString('base64url')
