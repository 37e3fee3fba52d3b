import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const modules = fileURLToPath(new URL('../../node_modules', import.meta.url))

/**
 * Packs the package in `source` as `npm pack` does, and installs it with npm in the empty folder `folder`. The dependencies are
 * links to those of this repository, so that npm needs no registry. An optional one that this machine does not have is left out.
 * @param dependencies the names of the package's dependencies
 */
export const installPackage = async (source: string, folder: string, dependencies: readonly string[]) => {
  const { stdout } = await npm(folder, 'pack', resolve(source), '--json', '--pack-destination', folder)
  const [{ filename, name, files }] = JSON.parse(stdout)
  const installed = dependencies.filter((name) => existsSync(join(modules, name)))
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({
      private: true,
      dependencies: { [name]: `file:${filename}` },
      overrides: Object.fromEntries(installed.map((name) => [name, `file:${join(modules, name)}`])),
    }),
  )
  await npm(folder, 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund')
  return { name, files: files.map(({ path }: { path: string }) => path) as string[] }
}

const npm = (cwd: string, ...args: string[]) => run('npm', args, { cwd })
