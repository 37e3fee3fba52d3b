import assert from 'node:assert/strict'
import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { copyDependencies } from './copy-dependencies.ts'
import { licensesOf } from './licenses.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The modules of the package, each with the source that is bundled into it. */
const entries = {
  messenger: 'bin/package/messenger.js',
  server: 'bin/package/server.js',
  operator: 'bin/package/operator.js',
  chat: 'bin/package/chat.js',
  worker: 'db/dialects/sqlite/worker.ts',
  'worker-loop': 'db/dialects/sqlite/worker-loop.ts',
}

/** Entries that another entry imports at run time, after it has enabled the compile cache. */
const late = ['./server.js', './operator.js', './chat.js', './worker-loop.js']

/** Dependencies of the package. pg could be bundled too, but is loaded only with a database in PostgreSQL. */
export const external = ['better-sqlite3', 'pg']

/** Files and folders of the package beside its modules, by their place in it. */
const copies: Record<string, string> = {
  ...Object.fromEntries(
    [
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'PROTOCOL.md',
      'SECURITY.md',
      '.env.example',
      'deploy',
      'docs',
    ].map((path) => [path, path]),
  ),
  ...Object.fromEntries(
    ['index.html', 'icon.svg', 'style.css', 'thread.css', 'dist', 'reference'].map((name) => [
      `web/${name}`,
      `web/${name}`,
    ]),
  ),
  ...Object.fromEntries(
    ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'].map((name) => [
      `web/swagger-ui/${name}`,
      `node_modules/@fastify/swagger-ui/static/${name}`,
    ]),
  ),
}

/** Where a source names a file, the text and its replacement in the package. */
const paths: Record<string, [source: string, bundle: string][]> = {
  'db/dialects/sqlite/thread.ts': [["'./worker.ts'", "'./worker.js'"]],
  'db/dialects/sqlite/worker.ts': [["'./worker-loop.ts'", "'./worker-loop.js'"]],
  'plugins/docs.ts': [
    [
      "new URL('static/', import.meta.resolve('@fastify/swagger-ui'))",
      "new URL('web/swagger-ui/', import.meta.url)",
    ],
    ["'../web/reference/'", "'./web/reference/'"],
  ],
  'src/http/page-files.ts': [["'../../web/'", "'./web/'"]],
}

/**
 * Writes the package of the server into `folder`: a bundled module for each entry, the files that they read, and a
 * package.json with the dependencies that are not bundled.
 */
export const buildPackage = async (folder: string): Promise<void> => {
  await rm(folder, { recursive: true, force: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: entries,
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    legalComments: 'none',
    metafile: true,
    logLevel: 'error',
    plugins: [sources, requiredLate],
    // For the modules that are CommonJS.
    banner: {
      js: "import { createRequire as createBundleRequire } from 'node:module'\nconst require = createBundleRequire(import.meta.url)",
    },
  })
  for (const [place, path] of Object.entries(copies))
    await cp(join(root, path), join(folder, place), { recursive: true })
  await writeFile(
    join(folder, 'LICENSES-OF-BUNDLED-PACKAGES.txt'),
    await licensesOf(root, Object.keys(metafile.inputs)),
  )
  await writeFile(join(folder, 'package.json'), await manifest())
  await chmod(join(folder, 'messenger.js'), 0o755)
}

/** Adapts the paths and the commands that the server's sources name. */
const sources: Plugin = {
  name: 'sources',
  setup({ onLoad, onResolve }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = relative(root, path).replaceAll('\\', '/')
      const replacements = paths[source] ?? []
      let contents = await readFile(path, 'utf8')
      assert.ok(replacements.length > 0 || !contents.includes('import.meta'), `paths has no ${source}`)
      for (const [text, replacement] of replacements) {
        assert.equal(contents.split(text).length, 2, `${source} does not have ${text} once`)
        contents = contents.replace(text, replacement)
      }
      // The texts of schemas/ are those of the interface documents, which are the same everywhere.
      if (!source.startsWith('schemas/'))
        contents = contents.replaceAll(/npm run (admin|backup|restore) --/g, 'npx messenger $1')
      return { contents, loader: 'ts' }
    })
    onResolve({ filter: /^\.\// }, ({ path }) => (late.includes(path) ? { path, external: true } : undefined))
  },
}

/** Requires external packages where a module needs them. esbuild would import all of them before the first line. */
const requiredLate: Plugin = {
  name: 'required-late',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: new RegExp(`^(${external.join('|')})$`) }, ({ path, namespace }) =>
      namespace === 'required-late' ? { path, external: true } : { path, namespace: 'required-late' },
    )
    onLoad({ filter: /./, namespace: 'required-late' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

const manifest = async () => {
  const { name, version, description, license, dependencies, optionalDependencies } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  )
  return `${JSON.stringify(
    {
      name,
      version,
      description,
      license,
      private: true,
      type: 'module',
      bin: { messenger: 'messenger.js' },
      exports: {
        './package.json': './package.json',
        './openapi.json': './docs/openapi.json',
        './asyncapi.json': './docs/asyncapi.json',
      },
      // The package brings the Node.js 24 that it runs on.
      engines: { node: '>=20' },
      dependencies: Object.fromEntries(external.map((name) => [name, dependencies[name]])),
      optionalDependencies,
    },
    undefined,
    2,
  )}\n`
}

/* c8 ignore start -- npm run pack writes into the repository; a test builds into a temporary folder */
if (import.meta.main) {
  const folder = join(root, 'dist')
  await buildPackage(folder)
  // For the image, which needs no npm then.
  if (process.argv.includes('--with-dependencies')) await copyDependencies(root, folder, external)
}
/* c8 ignore stop */
