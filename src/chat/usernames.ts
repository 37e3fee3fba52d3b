import { foldName } from '../../db/names.ts'
import { AppError, fieldError, invalid } from '../errors.ts'

export { foldName }

/** URLs drop the path segments `.` and `..` (WHATWG URL, 4.4), however they are written: such a name has no address. */
const rule = /^(?!\.{1,2}$)[\p{L}\p{Nd}._-]{1,64}$/u

/** Whether an account may be made with this name, which is in NFC. */
export const isUsername = (name: string) => rule.test(name)

/** The refusal of a name that breaks the rule. */
export const badUsername = (path: string) =>
  invalid(path, 'must be 1 to 64 letters, digits, ".", "_" or "-", and not "." or ".."')

/** The refusal of a name that nobody has: a name that nobody could have breaks the rule instead. */
export const unknownUser = (name: string, path: string) =>
  isUsername(name.normalize('NFC'))
    ? new AppError('USER_NOT_FOUND', 'Nobody has this name.', {
        errors: [fieldError(path, 'is the name of no user')],
      })
    : badUsername(path)

/**
 * For the promise of a write that looks names up.
 * @param named the names by the JSON pointer at which they were given
 */
export const explainNames =
  (named: Record<string, string>) =>
  (error: unknown): never => {
    const path =
      error instanceof AppError && error.code === 'USER_NOT_FOUND' ? error.errors?.[0]?.path : undefined
    const name = path === undefined ? undefined : named[path]
    throw path !== undefined && name !== undefined && !isUsername(name.normalize('NFC'))
      ? badUsername(path)
      : error
  }
