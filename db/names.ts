import { AppError, fieldError, invalid } from '../src/errors.ts'
import { APP, type Owner } from './owners.ts'

/** @returns the key by which names are compared: the NFC form of the name under Unicode's full case folding */
export const foldName = (name: string) =>
  name
    .normalize('NFC')
    .toUpperCase()
    .toLowerCase()
    // JavaScript lowercases a final sigma to another letter. A prefix must fold like the whole name.
    .replaceAll('ς', 'σ')
    .normalize('NFC')

/** The WHATWG URL standard (4.4) removes the path segments `.` and `..` in every spelling: such a name has no URL. */
const loginRule = /^(?!\.{1,2}$)[\p{L}\p{Nd}._-]{1,64}$/u
/** Names of the app's users may be mail addresses and the ids of identity providers. */
const appRule = /^(?!\.{1,2}$)[\p{L}\p{Nd}._@+:|~-]{1,64}$/u

/** Whether an account may have this name. Accounts of a database that was taken over may break the rule. */
export const isUsername = (name: string) => appRule.test(name.normalize('NFC'))

/**
 * @param owner who creates the account
 * @throws AppError `VALIDATION_FAILED` at `path` for a name that a new account may not have
 */
export const checkUsername = (name: string, path: string, owner: Owner) => {
  if (owner === null ? !loginRule.test(name.normalize('NFC')) : !isUsername(name))
    throw badUsername(path, owner)
}

const badUsername = (path: string, owner: Owner) =>
  invalid(
    path,
    owner === null
      ? 'must be 1 to 64 letters, digits, ".", "_" or "-", and not "." or ".."'
      : 'must be 1 to 64 letters, digits or characters of "._-@+:|~", and not "." or ".."',
  )

/** @returns the error for a name that no user has: `VALIDATION_FAILED` if the name breaks the rule, else `USER_NOT_FOUND` */
export const unknownUser = (name: string, path: string, detail = 'No user has this name.') =>
  isUsername(name)
    ? new AppError('USER_NOT_FOUND', detail, { errors: [fieldError(path, 'must be the name of a user')] })
    : badUsername(path, APP)
