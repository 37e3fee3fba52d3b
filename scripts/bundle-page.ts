import { mkdir, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/**
 * Bundles the chat page with the SDK of `client/dist`. The output depends on the sources and on the version of esbuild
 * only, so that it can be committed and compared.
 * @returns the text of the module and of its source map, by file name in `web/dist`
 */
export const bundlePage = async (): Promise<Map<string, string>> => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['web/src/main.ts'],
    outdir: 'web/dist',
    tsconfig: 'web/tsconfig.json',
    format: 'esm',
    bundle: true,
    minify: true,
    sourcemap: true,
    write: false,
  })
  return new Map(outputFiles.map(({ path, text }) => [basename(path), text]))
}

/* c8 ignore start -- npm run generate: it rewrites the tree, which a test only compares with the above */
if (import.meta.main) {
  const folder = join(root, 'web/dist')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  for (const [name, text] of await bundlePage()) await writeFile(join(folder, name), text)
}
/* c8 ignore stop */
