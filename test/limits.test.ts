import { readFileSync } from 'node:fs'
import t from 'tap'
import { Environment } from '../schemas/environment.ts'

/** The table that SECURITY.md must hold, from the schema. */
const table = () => {
  const rows = Object.entries(Environment.properties).flatMap(([name, schema]) => {
    const { type, default: value, description } = schema as Record<string, unknown>
    return type === 'integer' && name !== 'PORT'
      ? [`| \`${name}\` | ${String(value)} | ${String(description)} |`]
      : []
  })
  return ['| variable | default | |', '|---|---|---|', ...rows].join('\n')
}

t.test('the table of limits in SECURITY.md is that of the schema', async (t) => {
  const text = readFileSync(new URL('../SECURITY.md', import.meta.url), 'utf8')
  const [, found] = text.split(/<!-- \/?limits -->/)
  t.equal(found?.trim(), table())
})

for (const page of ['SECURITY.md', 'docs/RELIABILITY.md']) {
  t.test(`each test that ${page} names is there`, async (t) => {
    const text = readFileSync(new URL(`../${page}`, import.meta.url), 'utf8')
    const names = new Set([...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => name as string))
    t.ok(names.size > 0)
    for (const name of names) {
      t.doesNotThrow(() => readFileSync(new URL(name, new URL('.', import.meta.url))), name)
    }
  })
}
