import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Writes a small file, mode 0600. When this returns it is whole and on the disk; a crash before leaves what was there.
 * @param replace whether a file of this name is replaced; else it stays as it is
 * @param own gives the file its owner before it has its name
 */
export const writeDurably = (
  path: string,
  text: string,
  { replace, own }: { replace: boolean; own: (file: string) => void },
) => {
  // Exclusive, and under a name that nobody can guess: a link that somebody puts there is not followed.
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

/** @returns a name beside `path` for a file that is not whole yet, one of its own for each caller. */
export const partialName = (path: string) => `${path}.${randomBytes(4).toString('hex')}.partial`

/**
 * Gives a file the name `path`.
 * @throws Error `EEXIST` where there is such a file: a rename would replace it, a link does not
 */
export const giveNewName = (partial: string, path: string) => {
  try {
    linkSync(partial, path)
  } catch (error) {
    if (isTaken(error)) throw error
    /* c8 ignore next 2 -- every file system of the tests has links */
    renameSync(partial, path)
  }
}

const isTaken = (error: unknown) => (error as { code?: string }).code === 'EEXIST'

export const sync = (path: string) => {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}

/** Makes a new name last. Windows can't sync a folder, and needs not. */
export const syncFolder = (path: string) => {
  /* c8 ignore next */
  if (process.platform !== 'win32') sync(dirname(path))
}
