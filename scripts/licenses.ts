import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** @returns the license texts of the packages that `inputs`, paths from `root`, belong to */
export const licensesOf = async (root: string, inputs: readonly string[]): Promise<string> => {
  const folders = new Set(
    inputs.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  )
  const texts = await Promise.all([...folders].toSorted().map((folder) => licenseOf(join(root, folder))))
  return `The bundled modules of this package contain code of these packages.\n\n${texts.join('\n')}`
}

const licenseOf = async (folder: string) => {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const file = (await readdir(folder)).find((name) => /^licen[sc]e/i.test(name))
  const text = file ? await readFile(join(folder, file), 'utf8') : ''
  return `${'-'.repeat(80)}\n${name} ${version} (${license})\n\n${text}`
}
