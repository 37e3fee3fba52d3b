import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'

type Lock = { packages: Record<string, { dependencies?: Record<string, string> }> }

/**
 * Copies packages and all that they depend on from `root/node_modules` to `folder/node_modules`, in the versions of the lock
 * file. Leaves out the sources of native modules, and what they have for other systems.
 */
export const copyDependencies = async (
  root: string,
  folder: string,
  names: readonly string[],
): Promise<void> => {
  const { packages }: Lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'))
  const wanted = new Set(names)
  for (const name of wanted) {
    const { dependencies = {} } = packages[`node_modules/${name}`] as Lock['packages'][string]
    for (const dependency of Object.keys(dependencies)) wanted.add(dependency)
  }
  for (const name of wanted) {
    const path = join('node_modules', name)
    await cp(join(root, path), join(folder, path), { recursive: true, filter: isNeeded })
  }
}

const system = `${process.platform}-${process.arch}`

const isNeeded = (path: string) =>
  !/better-sqlite3\/(?:deps|src)$/.test(path) && (!path.endsWith('.node') || path.endsWith(`/${system}.node`))
