import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a small file with mode 0600. When this returns, the file is complete and on disk. A crash before that leaves the old
 * file unchanged. (write-file-atomic neither syncs the folder nor keeps an existing file.)
 * @param replace whether to replace an existing file; if false, an existing file stays
 * @param own sets the owner of the file before it gets its name
 */
export const writeDurably = (
  path: string,
  text: string,
  { replace, own }: { replace: boolean; own: (file: string) => void },
) => {
  // Exclusive and with a random name, so that it never follows a link of another user.
  const partial = partialName(path)
  try {
    const file = openSync(partial, 'wx', 0o600)
    try {
      writeFileSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    own(partial)
    if (replace) renameSync(partial, path)
    else giveNewName(partial, path)
    syncFolder(path)
  } catch (error) {
    if (replace || !isTaken(error)) throw error
  } finally {
    rmSync(partial, { force: true })
  }
}

/** @returns a new random name beside `path` for an incomplete file */
export const partialName = (path: string) => `${path}.${randomBytes(4).toString('hex')}.partial`

/**
 * Gives a file the name `path`.
 * @throws Error `EEXIST` if the name is taken: a hard link fails then, while a rename would replace the file
 */
export const giveNewName = (partial: string, path: string) => {
  try {
    linkSync(partial, path)
  } catch (error) {
    if (isTaken(error)) throw error
    /* c8 ignore next 2 -- every file system of the tests has hard links */
    renameSync(partial, path)
  }
}

const isTaken = (error: unknown) => (error as { code?: string }).code === 'EEXIST'

export const sync = (path: string) => {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

/** Makes a new name durable. Windows neither can sync a folder nor needs to. */
export const syncFolder = (path: string) => {
  /* c8 ignore next */
  if (process.platform !== 'win32') sync(dirname(path))
}
