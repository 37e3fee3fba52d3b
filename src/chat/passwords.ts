import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import pLimit from 'p-limit'
import { Password } from '../../schemas/account.ts'
import { invalid, overloaded } from '../errors.ts'
import { lazyValidator, strictAjv } from '../../schemas/validation.ts'

/** argon2id (RFC 9106) with the memory and passes that OWASP recommends: about 21 ms. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
/** Each derivation takes 19 MiB and a thread. More of them would only wait for a core. */
const CONCURRENCY = 2
/** About one second of work. A refusal with a hint is better than a longer wait. */
const MAX_PENDING = 100

const derive = promisify(argon2)
const limit = pLimit(CONCURRENCY)

const run = async (password: string, nonce: Buffer, parameters = cost): Promise<Buffer> => {
  if (limit.pendingCount >= MAX_PENDING) {
    throw overloaded('Too many passwords are being checked. Try again in a moment.')
  }
  return limit(() => derive('argon2id', { message: password.normalize('NFC'), nonce, ...parameters }))
}

const isPassword = lazyValidator(() => strictAjv.compile(Password))

/**
 * Checks a new password. Existing passwords may be shorter.
 * @param minimum minimum length in code points (NIST SP 800-63B revision 3, 5.1.1.2; revision 4, 3.1.1.2)
 * @throws AppError `VALIDATION_FAILED` if the password is too short, too long or not well-formed Unicode
 */
export const checkNewPassword = (password: string, minimum: number): void => {
  if (isPassword(password) && [...password.normalize('NFC')].length >= minimum) return
  throw invalid(
    '/password',
    `must have ${minimum} to ${Password.maxLength} characters; use a phrase of several words`,
  )
}

const encode = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')

/** @returns the hash in the PHC string format. @throws AppError `OVERLOADED` if 100 passwords already wait */
export const hashPassword = async (password: string): Promise<string> => {
  const nonce = randomBytes(16)
  const tag = await run(password, nonce)
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${encode(nonce)}$${encode(tag)}`
}

/**
 * @param hash in the PHC string format; null if the account does not exist or has no password. The result is then false,
 *   after the same time.
 * @throws AppError `OVERLOADED` if 100 passwords already wait
 */
export const verifyPassword = async (password: string, hash: string | null): Promise<boolean> => {
  if (hash === null) {
    await run(password, randomBytes(16))
    return false
  }
  const [parameters = '', nonce = '', tag = ''] = hash.split('$').slice(3)
  const expected = Buffer.from(tag, 'base64')
  const actual = await run(password, Buffer.from(nonce, 'base64'), readCost(parameters, expected.length))
  return actual.length === expected.length && timingSafeEqual(actual, expected)
}

/** @returns the cost parameters of a stored hash. They may differ from `cost`. */
const readCost = (parameters: string, tagLength: number): typeof cost => {
  const { m, t, p } = Object.fromEntries(parameters.split(',').map((part) => part.split('=')))
  return { memory: Number(m), passes: Number(t), parallelism: Number(p), tagLength }
}
