import { randomBytes } from 'node:crypto'
import type { Texts } from '../../db/database.ts'
import type { Bus } from '../bus/bus.ts'
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
   * Replaces the current secret with a new random one. Undefined if the environment sets the secret.
   * @param keepMs milliseconds for which the old secret still verifies; 0 invalidates every token that it signed
   */
  readonly rotate: ((keepMs: number) => Promise<void>) | undefined
  /** Reads the secrets again, which another server may have replaced. @throws (rejects) StorageError, ConfigError; the secrets stay */
  reload(): Promise<void>
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
  rotate: undefined,
  reload: async () => {},
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
  let current = ''
  let retired: VerifyingSecret[] = []
  const load = async () => {
    /* c8 ignore next -- a race: somebody deletes the text between two reads */
    const [first = '', ...more] = ((await texts.read(SECRETS)) ?? '').trim().split('\n')
    if (first.trim() === '') {
      throw new ConfigError(
        `${texts.locate(SECRETS)} holds no secret. Delete it: the next start creates a new secret, and all users must log in again.`,
      )
    }
    current = first.trim()
    retired = more.map((line): VerifyingSecret => {
      const [secret = '', until] = line.trim().split(' ')
      return { secret, until: Number(until) }
    })
  }
  await load()
  let loading: Promise<void> | undefined
  // Only a rotation deletes a secret, because the clock may be wrong at the moment.
  const verifying = () => retired.filter(({ until }) => until > Date.now())
  return {
    get current() {
      return current
    },
    verifying: () => [permanent(current), ...verifying()],
    async rotate(keepMs) {
      const next = newSecret()
      const kept = keepMs > 0 ? [{ secret: current, until: Date.now() + keepMs }, ...verifying()] : []
      const lines = [next, ...kept.map(({ secret, until }) => `${secret} ${until}`)]
      // Write first, so that no token is signed with a secret that a crash loses.
      await texts.write(SECRETS, `${lines.join('\n')}\n`, true)
      current = next
      retired = kept
    },
    reload() {
      // A read that has already begun may return the old secrets, so another one follows it.
      loading = (loading ?? Promise.resolve()).catch(() => {}).then(load)
      return loading
    },
  }
}

/** Milliseconds between two reads of the secrets because of a token that no secret verifies, or after a read that failed. */
const RELOAD_MS = 1000

/**
 * Reads the secrets again whenever another server may have replaced them: after its notice, and after a lost batch.
 * @returns a function for a token that no secret verifies: another server may have signed it with a secret whose notice is on its
 *   way. It reads the secrets again, at most once a second, and resolves to whether it did.
 */
export const followSecrets = (secrets: Secrets, bus: Bus): (() => Promise<boolean>) => {
  const reload = (): Promise<void> =>
    secrets.reload().catch(() => void setTimeout(() => void reload(), RELOAD_MS).unref())
  let head = 0
  bus.subscribe({
    batch({ first, last, changes }) {
      const isComplete = first === head + 1
      head = last
      if (!isComplete || changes.some(({ event }) => event.type === 'secret_rotated')) void reload()
    },
    signal: () => {},
  })
  let next = 0
  let reloading: Promise<void> | undefined
  return async () => {
    if (!reloading && performance.now() < next) return false
    next = performance.now() + RELOAD_MS
    // Tokens that arrive during the read wait for it too.
    /* c8 ignore next -- whether two tokens come at once is a race */
    reloading ??= secrets.reload().finally(() => {
      reloading = undefined
    })
    await reloading
    return true
  }
}

const newSecret = () => randomBytes(32).toString('base64url')
