import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type BuildOptions } from 'esbuild'

const root = new URL('..', import.meta.url)
const readme = new URL('client/README.md', root)

/** @returns the bytes of a module of the client after bundling, minifying and gzip */
export const gzippedSize = async (
  entry: string,
  options: Pick<BuildOptions, 'external' | 'platform'> = {},
): Promise<number> => {
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(root),
    entryPoints: [`client/dist/${entry}.js`],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
    ...options,
  })
  return gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length
}

/** @returns the table of sizes in client/README.md */
export const sizeTable = async (): Promise<string> => {
  const rows = [
    [
      '`@messenger/client` without openapi-fetch',
      await gzippedSize('index', { external: ['openapi-fetch'] }),
    ],
    ['`@messenger/client` with openapi-fetch', await gzippedSize('index')],
    ['`@messenger/client/file`', await gzippedSize('file-storage', { platform: 'node' })],
  ] as const
  const lines = rows.map(([name, bytes]) => `| ${name} | ${bytes.toLocaleString('en')} bytes |`)
  return ['| bundled and minified | gzip |', '|---|---|', ...lines].join('\n')
}

const marked = /(?<=<!-- sizes -->\n)[^]*?(?=\n<!-- sizes end -->)/

/** @returns the table as it is in client/README.md */
export const publishedTable = async (): Promise<string | undefined> =>
  marked.exec(await readFile(readme, 'utf8'))?.[0]

/* c8 ignore start -- npm run generate writes into the repository; a test compares the table */
if (import.meta.main) {
  const table = await sizeTable()
  await writeFile(readme, (await readFile(readme, 'utf8')).replace(marked, table))
}
/* c8 ignore stop */
