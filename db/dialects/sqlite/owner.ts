import { existsSync, lchownSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Gives a file that root has made the owner of `like`: the user of the server has to open it. */
export const ownLike = (file: string, like: string) => {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(like)
  try {
    // Who owns the folder may have put a link in its place, to a file that is not theirs.
    lchownSync(file, uid, gid)
    /* c8 ignore next 3 -- the tests' file systems know owners, and root may give */
  } catch {
    // It stays root's, where no more can be done.
  }
}

/** The same for what is put beside the database `path`, or in its place: where none is, its folder's owner has it. */
export const ownLikeDatabase = (file: string, path: string) =>
  ownLike(file, existsSync(path) ? path : dirname(path))
