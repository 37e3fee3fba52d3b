import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { temporaryFolder } from './support/server.ts'

const run = promisify(execFile)
const path = (name: string) => fileURLToPath(new URL(`../bench/${name}`, import.meta.url))

// Without tap's own environment: what the benches load is not what these tests cover.
const { PATH, HOME, TMPDIR } = process.env
const bench = (...args: string[]) =>
  run(process.execPath, [path('main.ts'), ...args], { env: { PATH, HOME, TMPDIR, BENCH_STRACE: '0' } })

// A process a trial: 24 starts.
t.setTimeout(300_000)

t.test('every bench works, and its README explains it', { timeout: 300_000 }, async (t) => {
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

t.test('a bench that is not there is named', async (t) => {
  await t.rejects(bench('--only', 'nothing'), { code: 2, stderr: /no row named nothing/ })
})
