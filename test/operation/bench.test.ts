import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from '../support/server.ts'

const run = promisify(execFile)
const path = (name: string) => fileURLToPath(new URL(`../../bench/${name}`, import.meta.url))

// Without the environment of tap: coverage does not include the code that a bench loads.
const { PATH, HOME, TMPDIR } = process.env
const start = (file: string, args: string[], more: Record<string, string> = {}) =>
  run(process.execPath, [path(file), ...args], { env: { PATH, HOME, TMPDIR, BENCH_STRACE: '0', ...more } })
const bench = (...args: string[]) => start('main.ts', args)

// Each trial starts a process: 24 starts.
t.setTimeout(300_000)

t.test('every bench runs, and its README explains it', { timeout: 300_000 }, async (t) => {
  const json = join(await temporaryFolder(t), 'figures.json')
  const { stdout: help } = await bench('--help')
  const names = /Names: (.*)/.exec(help)?.[1]?.split(', ')
  const { stdout } = await bench('--smoke', '--json', json)
  const figures = JSON.parse(await readFile(json, 'utf8'))
  const readme = await readFile(path('README.md'), 'utf8')
  t.same(
    figures.rows.map(({ name }: { name: string }) => name),
    names,
  )
  for (const { name, figure } of figures.rows) {
    t.ok(Number.isFinite(figure), `${name} has a figure`)
    t.match(stdout, name, `${name} is printed`)
    t.match(readme, `\`${name}\``, `${name} is explained`)
  }
})

t.test('an unknown bench is refused by name', async (t) => {
  const refused = { code: 2, stderr: /no row named nothing/ }
  await t.rejects(bench('--only', 'nothing'), refused)
  await t.rejects(start('compare.ts', ['HEAD', '--only', 'nothing']), refused)
  await t.rejects(start('compare.ts', ['no-such-revision']), { code: 2, stderr: /no-such-revision/ })
})

t.test('a start is measured on its own database, and a failed start has no figure', async (t) => {
  const args = ['--smoke', '--only', 'start']
  await start('main.ts', args, { DATABASE_URL: 'sqlite:/no/such/folder/messenger.db' })
  await t.rejects(start('main.ts', args, { LOG_LEVEL: 'none such' }), {
    code: 1,
    stderr: /LOG_LEVEL[^]*the server ended before it listened/,
  })
})
