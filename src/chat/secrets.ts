import { randomBytes } from 'node:crypto'
import type { Texts } from '../../db/database.ts'
import { type Config, ConfigError } from '../config.ts'

/** A secret that verifies tokens until a time, in milliseconds since 1970. */
export type VerifyingSecret = { secret: string; until: number }

/** The secrets that sign and verify tokens. */
export type Secrets = {
  /** The secret that signs new tokens. */
  readonly current: string
  /** @returns all secrets that verify tokens, the current one first. */
  verifying(): VerifyingSecret[]
  /** Reads the stored secrets again, because another process may have replaced them. */
  reload(): Promise<void>
  /**
   * Replaces the current secret with a new random one. Undefined if the environment sets the secret.
   * @param keepMs milliseconds for which the old secret still verifies; 0 invalidates every token that it signed
   */
  readonly rotate: ((keepMs: number) => Promise<void>) | undefined
}

/**
 * @param texts holds the secret if JWT_SECRET is not set
 * @throws ConfigError if the stored text has no secret
 */
export const openSecrets = async (
  { JWT_SECRET, JWT_SECRET_PREVIOUS }: Config,
  texts: Texts,
): Promise<Secrets> =>
  JWT_SECRET ? environmentSecrets(JWT_SECRET, JWT_SECRET_PREVIOUS) : storedSecrets(texts)

/** @param previous the previous secret, which still verifies */
const environmentSecrets = (current: string, previous: string | undefined): Secrets => ({
  current,
  verifying: () =>
    previous === undefined ? [permanent(current)] : [permanent(current), permanent(previous)],
  reload: async () => {},
  rotate: undefined,
})

const permanent = (secret: string): VerifyingSecret => ({ secret, until: Infinity })

/** The name of the text that holds the secrets. */
export const SECRETS = 'key'

/**
 * Stores the secrets with the database. The first start creates them. The first line is the current secret. Each other line is
 * a previous secret and the time (milliseconds since 1970) until which it verifies.
 */
const storedSecrets = async (texts: Texts): Promise<Secrets> => {
  // Of several nodes that start at once, all use the secret of one.
  if ((await texts.read(SECRETS)) === undefined) await texts.write(SECRETS, `${newSecret()}\n`, false)
  const stored = await readSecrets(texts)
  if (!stored) {
    throw new ConfigError(
      `${texts.locate(SECRETS)} holds no secret. Delete it: the next start creates a new secret, and all users must log in again.`,
    )
  }
  let { current, retired } = stored
  // Only a rotation deletes a secret, because the clock may be wrong at the moment.
  const verifying = () => retired.filter(({ until }) => until > Date.now())
  return {
    get current() {
      return current
    },
    verifying: () => [permanent(current), ...verifying()],
    async reload() {
      const read = await readSecrets(texts)
      if (read) ({ current, retired } = read)
    },
    async rotate(keepMs) {
      const next = newSecret()
      const kept = keepMs > 0 ? [{ secret: current, until: Date.now() + keepMs }, ...verifying()] : []
      const lines = [next, ...kept.map(({ secret, until }) => `${secret} ${until}`)]
      // Write first, so that no token is signed with a secret that a crash loses.
      await texts.write(SECRETS, `${lines.join('\n')}\n`, true)
      current = next
      retired = kept
    },
  }
}

/** @returns the stored secrets; undefined if there is none */
const readSecrets = async (texts: Texts) => {
  const [first = '', ...more] = ((await texts.read(SECRETS)) ?? '').trim().split('\n')
  const current = first.trim()
  const retired = more.map((line): VerifyingSecret => {
    const [secret = '', until] = line.trim().split(' ')
    return { secret, until: Number(until) }
  })
  return current === '' ? undefined : { current, retired }
}

const newSecret = () => randomBytes(32).toString('base64url')
