/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { product, type Server } from './trial.ts'

const built = new Map<string, Promise<Server>>()

/**
 * Builds the package of the tree in `root`, once in each run.
 * @returns the server of the package; that of the sources in a revision that has no package
 */
export const packaged = (root: string): Promise<Server> => {
  const known = built.get(root)
  if (known) return known
  const building = build(root)
  built.set(root, building)
  return building
}

const build = async (root: string): Promise<Server> => {
  const builder = join(root, 'scripts/build-package.ts')
  if (!existsSync(builder)) return product(root)
  const { buildPackage } = (await import(builder)) as typeof import('../scripts/build-package.ts')
  const folder = mkdtempSync(join(tmpdir(), 'messenger-package-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  await buildPackage(join(folder, 'package'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir')
  return { args: [join(folder, 'package/messenger.js')] }
}
