import { existsSync, lchownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Gives a file that root created the owner of `like`, so that the user of the server can open it. */
export const ownLike = (file: string, like: string) => {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(like)
  try {
    // Do not follow a link: the owner of the folder may have put one there, to a file of another user.
    lchownSync(file, uid, gid)
    /* c8 ignore next 3 -- the file systems of the tests have owners, and root may change them */
  } catch {
    // The file stays root's.
  }
}

/** Does the same for a file beside or in place of the database `path`. Without a database, uses its folder's owner. */
export const ownLikeDatabase = (file: string, path: string) =>
  ownLike(file, existsSync(path) ? path : dirname(path))
