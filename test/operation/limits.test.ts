import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { Environment } from '../../schemas/environment.ts'
import { dial } from '../support/raw.ts'
import { startServer } from '../support/server.ts'

/** The table that SECURITY.md must contain, built from the schema. */
const table = () => {
  const rows = Object.entries(Environment.properties).flatMap(([name, schema]) => {
    const { type, default: value, description } = schema as Record<string, unknown>
    return type === 'integer' && name !== 'PORT'
      ? [`| \`${name}\` | ${String(value)} | ${String(description)} |`]
      : []
  })
  return ['| variable | default | |', '|---|---|---|', ...rows].join('\n')
}

t.test('the table of limits in SECURITY.md matches the schema', async (t) => {
  const text = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8')
  const [, found] = text.split(/<!-- \/?limits -->/)
  t.equal(found?.trim(), table())
})

for (const page of ['SECURITY.md', 'docs/RELIABILITY.md']) {
  t.test(`each test file that ${page} names exists`, async (t) => {
    const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
    const names = new Set([...text.matchAll(/`([\w./-]+\.ts)`/g)].map(([, name]) => name as string))
    t.ok(names.size > 0)
    const files = readdirSync(new URL('..', import.meta.url), { recursive: true }) as string[]
    for (const name of names)
      t.ok(
        files.some((file) => `/${file}`.endsWith(`/${name}`)),
        name,
      )
  })
}

t.test('connections above MAX_SOCKETS and MAX_CONNECTIONS are closed, and others still work', async (t) => {
  const { url } = await startServer(t, { MAX_SOCKETS: '1', MAX_CONNECTIONS: '1' })
  const isLive = async (connection: Awaited<ReturnType<typeof dial>>) => {
    connection.write('GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    return (await connection.closed).toString().startsWith('HTTP/1.1 200')
  }
  const [first, second] = [await dial(t, url), await dial(t, url)]
  t.notOk(await isLive(await dial(t, url)), 'the third connection')
  t.ok(await isLive(first))
  while (!(await isLive(await dial(t, url))));
  t.ok(await isLive(second), 'the second connection still works')
})
