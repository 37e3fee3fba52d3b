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

/** Gives a file beside the database `path` the owner of the database, or of its folder if there is no database yet. */
export const ownLikeDatabase = (file: string, path: string) =>
  ownLike(file, existsSync(path) ? path : dirname(path))
