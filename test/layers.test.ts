import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'

/** Every source file, by its path, and what it imports: files by their path, packages by their name. */
const imports = new Map(
  ['bench', 'bin', 'client', 'db', 'plugins', 'schemas', 'scripts', 'src', 'web'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(({ name, parentPath }) => /\.[jt]s$/.test(name) && !/\b(dist|node_modules)\b/.test(parentPath))
      .map(({ parentPath, name }) => {
        const file = join(parentPath, name)
        const text = readFileSync(file, 'utf8')
        const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) =>
          target.startsWith('.')
            ? relative('.', join(dirname(file), target))
            : target.replace(/^@messenger\/client$/, 'client/src/index.ts'),
        )
        return [file, found] as const
      }),
  ),
)

const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path)

/** The lines of ARCHITECTURE.md: folders or files, and what they may import. */
const layers = readFileSync('ARCHITECTURE.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [, places, , imported = ''] = line.split('|')
    return quoted(places).map((place) => ({
      place,
      isFree: imported.trim() === 'all',
      may: quoted(imported),
    }))
  })

/** The line that a file belongs to: the one that names the most of its path. */
const layerOf = (file: string) =>
  layers
    .filter(({ place }) => (place.endsWith('/') ? file.startsWith(place) : file === place))
    .toSorted((a, b) => b.place.length - a.place.length)[0]

/** Those files under `folder` that import what `is` fits. */
const offenders = (folder: string, is: (target: string) => boolean) =>
  [...imports]
    .filter(([file]) => file.startsWith(folder))
    .flatMap(([file, targets]) => targets.filter(is).map((target) => `${file} imports ${target}`))

const isPackage =
  (...names: string[]) =>
  (target: string) =>
    names.some((name) => target === name || target.startsWith(`${name}/`))
const isHttp = (target: string) => /^(fastify|@fastify\/|fastify-plugin|ws$|node:http)/.test(target)

t.test('every import leads somewhere', async (t) => {
  t.ok(imports.size > 60)
  for (const [file, targets] of imports) {
    for (const target of targets.filter((name) => /^(bin|db|plugins|schemas|src)\//.test(name))) {
      t.ok(imports.has(target), `${file} imports ${target}`)
    }
  }
})

t.test('a folder imports what its line in ARCHITECTURE.md says, and nothing else', async (t) => {
  t.ok(layers.length > 15)
  const used = new Set<string>()
  const wrong: string[] = []
  for (const [file, targets] of imports) {
    const layer = layerOf(file)
    for (const target of targets.filter((name) => imports.has(name))) {
      const place = layerOf(target)?.place
      if (!layer || !place) wrong.push(`${layer ? target : file} has no line`)
      else if (place !== layer.place && !layer.isFree) {
        const allowed = layer.may.find((path) => path === target || path === place)
        if (!allowed) wrong.push(`${file} imports ${target}`)
        used.add(`${layer.place} imports ${allowed}`)
      }
    }
  }
  t.strictSame(wrong, [])
  t.strictSame(
    layers
      .flatMap(({ place, may }) => may.map((path) => `${place} imports ${path}`))
      .filter((line) => !used.has(line)),
    [],
    'and each may is made use of',
  )
})

t.test('only schemas/ imports TypeBox', async (t) => {
  t.strictSame(
    ['bin', 'db', 'plugins', 'src'].flatMap((folder) => offenders(folder, isPackage('@sinclair/typebox'))),
    [],
  )
})

t.test('use cases know neither HTTP nor sockets', async (t) => {
  t.strictSame(offenders('src/chat/', isHttp), [])
})

t.test('nothing outside db/ knows SQLite', async (t) => {
  const isDialect = (target: string) =>
    isPackage('better-sqlite3', 'kysely', 'node:sqlite')(target) ||
    /^db\/(dialects|migrations|operations)\//.test(target)
  t.strictSame(
    ['bin', 'plugins', 'schemas', 'src'].flatMap((folder) => offenders(folder, isDialect)),
    [],
  )
  t.strictSame(
    ['db/queries/', 'db/operations/', 'db/writer.ts', 'db/transaction.ts'].flatMap((folder) =>
      offenders(folder, (target) => target === 'better-sqlite3' || target.startsWith('db/dialects/')),
    ),
    [],
    'and in it neither do queries and operations',
  )
})

t.test('storage knows neither HTTP nor sockets', async (t) => {
  t.strictSame(offenders('db/', isHttp), [])
})

t.test('the server listens in one place', async (t) => {
  const listening = [...imports.keys()].filter(
    (file) => !/^(bench|scripts)\//.test(file) && readFileSync(file, 'utf8').includes('app.listen('),
  )
  t.strictSame(listening, ['src/server.ts'])
})

t.test(
  'nothing that starts with the server imports node:http but for its types: it brings undici',
  async (t) => {
    const importing = [...imports.keys()].filter(
      (file) =>
        /^(bin|db|plugins|schemas|src)\//.test(file) &&
        /^import (?!type ).*from 'node:https?'/m.test(readFileSync(file, 'utf8')),
    )
    t.strictSame(importing, [])
  },
)
