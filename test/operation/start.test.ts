import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

/** Every source file of the server with its text. */
const sources = ['bin', 'db', 'plugins', 'schemas', 'src'].flatMap((folder) =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => /\.[jt]s$/.test(name))
    .map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') })),
)
const pathsWith = (pattern: RegExp) =>
  sources.filter(({ text }) => pattern.test(text)).map(({ path }) => path)

t.test('only server.ts listens for connections', async (t) => {
  t.ok(sources.length > 60)
  t.strictSame(pathsWith(/app\.listen\(/), ['src/server.ts'])
})
