import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'

/** Every source file, by its path, and what it imports: files by their path, packages by their name. */
const imports = new Map(
  ['bin', 'db', 'plugins', 'schemas', 'src'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(({ name }) => /\.[jt]s$/.test(name))
      .map(({ parentPath, name }) => {
        const file = join(parentPath, name)
        const text = readFileSync(file, 'utf8')
        const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, target = '']) =>
          target.startsWith('.') ? relative('.', join(dirname(file), target)) : target,
        )
        return [file, found] as const
      }),
  ),
)

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

t.test('only schemas/ imports TypeBox', async (t) => {
  t.strictSame(
    ['bin', 'db', 'plugins', 'src'].flatMap((folder) => offenders(folder, isPackage('@sinclair/typebox'))),
    [],
  )
})

t.test('use cases know neither HTTP nor sockets', async (t) => {
  t.strictSame(offenders('src/chat/', isHttp), [])
  t.strictSame(
    offenders('src/chat/', (target) => /^(src\/routes|plugins)\//.test(target)),
    [],
  )
})

t.test('routes never touch the database', async (t) => {
  t.strictSame(
    offenders('src/routes/', (target) => target.startsWith('db/')),
    [],
  )
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

t.test('storage knows neither HTTP nor sockets nor the use cases', async (t) => {
  t.strictSame(offenders('db/', isHttp), [])
  t.strictSame(
    offenders('db/', (target) => /^(plugins|src\/(chat|realtime|routes))\//.test(target)),
    [],
  )
})

t.test('the server listens in one place', async (t) => {
  const listening = [...imports.keys()].filter((file) => readFileSync(file, 'utf8').includes('app.listen('))
  t.strictSame(listening, ['src/server.ts'])
})
