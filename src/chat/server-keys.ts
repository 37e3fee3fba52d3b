import { createHash, randomBytes } from 'node:crypto'
import type { Notice } from '../../db/changes.ts'
import { foldName, unknownUser } from '../../db/names.ts'
import * as keys from '../../db/queries/server-keys.ts'
import * as users from '../../db/queries/users.ts'
import { refuseSuspended } from '../../db/refusals.ts'
import { createCache } from '../cache.ts'
import { invalid, unauthorized } from '../errors.ts'
import type { Chat, Identity } from './context.ts'
import { followEndings } from './endings.ts'

const PREFIX = 'msk_'

/** @returns whether the text claims to be a server key. No token begins like one: a JSON Web Token begins with `eyJ`. */
export const isServerKey = (token: string) => token.startsWith(PREFIX)

/** @returns a new server key of 256 random bits, and the hash that is stored of it */
export const newServerKey = (): { key: string; hash: string } => {
  const key = PREFIX + randomBytes(32).toString('base64url')
  return { key, hash: hashOf(key) }
}

/** SHA-256 is enough for random keys, which cannot be guessed like passwords. */
const hashOf = (key: string) => createHash('sha256').update(key).digest('base64url')

type User = NonNullable<(typeof users.userById)['row']>

/** A key that was verified: its name, its hash, and the number of a change after which it was valid. */
type Verified = Pick<Identity, 'jti' | 'verified_at'> & { key: string }

/**
 * Verifies server keys, and finds the users on whose behalf they act. Both are cached until a key may have ended, or an account
 * may have been removed or suspended. A key is looked up by its hash, so the time that a lookup takes tells nothing about other
 * keys, and the memory of the server holds no key.
 */
export const createServerKeys = ({ reader, bus, turns }: Chat) => {
  /** By the hash of the key. Keys are created by hand, so there are few. */
  const verified = createCache<string, Verified>(1000)
  /** By the folded name. */
  const found = createCache<string, Pick<Identity, 'user_id' | 'username'>>(50_000)
  const endings = followEndings(bus, mayEnd, () => {
    verified.clear()
    found.clear()
  })

  const lookUpKey = async (hash: string): Promise<Verified> => {
    const verified_at = endings.head
    const row = await reader.get(keys.serverKeyByHash, { hash: Buffer.from(hash, 'base64url') })
    if (!row) throw unauthorized('The server key is not valid or was revoked. Send another one.')
    const key = { key: row.name, jti: hash, verified_at }
    if (endings.isCurrent(verified_at)) verified.set(hash, key)
    return key
  }

  const lookUpUser = async (folded: string, name: string) => {
    const read_at = endings.head
    const row = await reader.get(users.userByKey, { key: folded })
    if (!row || row.removed_at !== null) throw unknownUser(name, HEADER_PATH)
    refuseSuspended(row)
    const user = { user_id: row.id, username: row.username }
    if (endings.isCurrent(read_at)) found.set(folded, user)
    return user
  }

  const lookUp = async (hash: string, header: string | undefined): Promise<Identity | null> => {
    const key = verified.get(hash) ?? (await lookUpKey(hash))
    if (header === undefined) return null
    const name = decodeName(header)
    const folded = foldName(name)
    return identityOf(key, found.get(folded) ?? (await lookUpUser(folded, name)))
  }

  const checkAgain = async ({ user_id, username, jti }: Identity): Promise<void> => {
    await turns.ready(user_id)
    await lookUpKey(jti)
    const user = (await reader.get(users.userById, { id: user_id })) as User
    if (user.removed_at !== null) throw unknownUser(username, HEADER_PATH)
    refuseSuspended(user)
  }

  return {
    /** @returns the name of the key, if it was verified before and is cached */
    known: (key: string): string | undefined => verified.get(hashOf(key))?.key,

    /**
     * @param header the value of On-Behalf-Of, if the request has one
     * @returns the user on whose behalf the request is made; null without the header: the app itself makes the request. Not a
     *   promise if the key and the user are cached.
     * @throws AppError, synchronously or as a rejection: `UNAUTHORIZED` for a key that does not exist, `USER_NOT_FOUND`,
     *   `ACCOUNT_SUSPENDED`, or `VALIDATION_FAILED` if the header cannot be the name of a user
     */
    identify(key: string, header: string | undefined): Identity | null | Promise<Identity | null> {
      const hash = hashOf(key)
      const known = verified.get(hash)
      if (!known) return lookUp(hash, header)
      if (header === undefined) return null
      const user = found.get(foldName(decodeName(header)))
      return user ? identityOf(known, user) : lookUp(hash, header)
    },

    /**
     * Like `recheck` of `Tokens`, for a user on whose behalf a key acts.
     * @returns undefined if neither a key nor an account ended since `me` was verified; else a promise that rejects with AppError
     *   `UNAUTHORIZED` if the key of `me` was revoked, `USER_NOT_FOUND` if the user was removed, or `ACCOUNT_SUSPENDED`
     */
    recheck(me: Identity): Promise<void> | undefined {
      return endings.isCurrent(me.verified_at) ? undefined : checkAgain(me)
    },
  }
}

const identityOf = (key: Verified, user: Pick<Identity, 'user_id' | 'username'>): Identity => ({
  ...user,
  ...key,
  expires: Infinity,
})

const HEADER_PATH = '/headers/on-behalf-of'

/**
 * @param header a username in UTF-8, percent-encoded (RFC 3986): header values are not Unicode, but usernames are
 * @throws AppError `VALIDATION_FAILED` if it is empty or not encoded
 */
const decodeName = (header: string): string => {
  // Other characters would be read as Latin-1, and as another name than the sender means.
  if (!/^[\x21-\x7e]+$/.test(header)) throw badHeader()
  try {
    return decodeURIComponent(header)
  } catch {
    throw badHeader()
  }
}

const badHeader = () => invalid(HEADER_PATH, 'must be one username in UTF-8, percent-encoded')

/** Whether a notice may be about the end of a key, or the removal or suspension of an account. A missing row does not compile. */
const mayEnd: Record<Notice['type'], boolean> = {
  token_ended: false,
  tokens_ended: true,
  all_tokens_ended: false,
  secret_rotated: false,
  key_ended: true,
  user: false,
  report: false,
  suspension: true,
  block: false,
}
