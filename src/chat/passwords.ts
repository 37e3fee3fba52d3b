import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Password } from '../../schemas/account.ts'
import { AppError, invalid } from '../errors.ts'
import { lazyValidator, strictAjv } from '../../schemas/validation.ts'

/** RFC 9106's argon2id with the memory and passes that OWASP advises: about 21 ms. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 }
/** Each takes 19 MiB and a thread: more at once would only wait for a core. */
const AT_ONCE = 2
/** A second of work: who comes behind it would rather be told than wait. */
const MAX_WAITING = 100

const derive = promisify(argon2)
const waiting: (() => void)[] = []
let running = 0

const run = async (password: string, nonce: Buffer, parameters = cost): Promise<Buffer> => {
  if (waiting.length >= MAX_WAITING) {
    throw new AppError('OVERLOADED', 'Too many passwords are being checked; try again in a moment.', {
      // Those who were refused together must not come back together.
      retryAfter: 1 + Math.floor(Math.random() * 3),
    })
  }
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
  else running += 1
  try {
    return await derive('argon2id', { message: password.normalize('NFC'), nonce, ...parameters })
  } finally {
    const next = waiting.shift()
    if (next) next()
    else running -= 1
  }
}

const isPassword = lazyValidator(() => strictAjv.compile(Password))

/**
 * @param minimum code points: NIST SP 800-63B counts each as one (revision 3, 5.1.1.2; revision 4, 3.1.1.2)
 * @throws AppError `VALIDATION_FAILED` where an account must not get this password
 */
export const checkNewPassword = (password: string, minimum: number): void => {
  if (isPassword(password) && [...password.normalize('NFC')].length >= minimum) return
  throw invalid(
    '/password',
    `must have ${minimum} to ${Password.maxLength} characters when it is new; use a phrase of several words`,
  )
}

const encode = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '')

/** @returns the hash in PHC's string format. @throws AppError `OVERLOADED` when too many wait for theirs */
export const hashPassword = async (password: string): Promise<string> => {
  const nonce = randomBytes(16)
  const tag = await run(password, nonce)
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${encode(nonce)}$${encode(tag)}`
}

/**
 * @param hash null where there is none to compare with: the answer, no, then takes as long.
 * @throws AppError `OVERLOADED` when too many wait for theirs
 */
export const verifyPassword = async (password: string, hash: string | null): Promise<boolean> => {
  if (hash === null) {
    await run(password, randomBytes(16))
    return false
  }
  const [parameters = '', nonce = '', tag = ''] = hash.split('$').slice(3)
  const wanted = Buffer.from(tag, 'base64')
  const found = await run(password, Buffer.from(nonce, 'base64'), readCost(parameters, wanted.length))
  return found.length === wanted.length && timingSafeEqual(found, wanted)
}

/** What a hash was made with, which need not be what hashes are made with today. */
const readCost = (parameters: string, tagLength: number): typeof cost => {
  const { m, t, p } = Object.fromEntries(parameters.split(',').map((part) => part.split('=')))
  return { memory: Number(m), passes: Number(t), parallelism: Number(p), tagLength }
}
