import { createHmac, randomBytes } from 'node:crypto'

const PREFIX = 'whsec_'

/** @returns a new secret of 256 random bits, in the form of Standard Webhooks 1.0 */
export const newSecret = () => PREFIX + randomBytes(32).toString('base64')

/**
 * Signs a request by Standard Webhooks 1.0 (symmetric, `v1`).
 * @param secrets each signs
 * @param seconds time of the attempt, since 1970
 * @returns its headers
 */
export const signatureHeaders = (secrets: readonly string[], id: string, seconds: number, body: string) => ({
  'webhook-id': id,
  'webhook-timestamp': String(seconds),
  'webhook-signature': secrets
    .map((secret) => Buffer.from(secret.slice(PREFIX.length), 'base64'))
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64')}`)
    .join(' '),
})
