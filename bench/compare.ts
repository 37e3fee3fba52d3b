import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createProgress } from './progress.ts'
import { number } from './report.ts'
import { full, rows, smoke } from './rows.ts'
import { median, spread } from './statistics.ts'

const USAGE = `npm run bench:compare -- REV [--only NAME]... [--repeat N] [--smoke]

Runs the present tree and the revision REV in turn, with the benches of the present tree, and prints their ratios.`

const root = fileURLToPath(new URL('..', import.meta.url))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string', multiple: true },
    repeat: { type: 'string' },
    smoke: { type: 'boolean', default: false },
  },
})
const [revision] = positionals
if (!revision) {
  console.error(USAGE)
  process.exit(2)
}

const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

/** The packages of the present tree serve, unless the revision wants others. */
const install = (other: string) => {
  const lock = (folder: string) => readFileSync(join(folder, 'package-lock.json'), 'utf8')
  const modules = join(root, 'node_modules')
  if (lock(root) === lock(other) && existsSync(modules)) symlinkSync(modules, join(other, 'node_modules'))
  else execFileSync('npm', ['ci'], { cwd: other, stdio: 'inherit' })
}

const folder = mkdtempSync(join(tmpdir(), 'messenger-compare-'))
const other = join(folder, 'tree')
try {
  git('worktree', 'add', '--detach', other, revision)
  install(other)
  const scale = {
    ...(values.smoke ? smoke : full),
    ...(values.repeat && { repetitions: Number(values.repeat) }),
  }
  const progress = createProgress()
  console.log(`the present tree beside ${git('rev-parse', '--short=12', revision)} (${revision})`)
  for (const row of rows.filter(({ name }) => !values.only || values.only.includes(name))) {
    const [present, past]: [number[], number[]] = [[], []]
    for (let turn = 1; turn <= scale.repetitions; turn += 1) {
      for (const [tree, found] of [[root, present] as const, [other, past] as const]) {
        progress.show(`${row.name} ${turn}/${scale.repetitions}: ${tree === root ? 'present' : revision}`)
        found.push((await row.product({ root: tree, scale, progress: progress.show })).value)
      }
    }
    const ratios = present.map((value, index) => value / (past[index] as number))
    progress.clear()
    console.log(
      `${row.name.padEnd(22)} ${number(median(ratios))} × ± ${number(spread(ratios) * 100)} %`.padEnd(48),
      `${number(median(present))}${row.unit} beside ${number(median(past))}${row.unit}`,
    )
  }
} finally {
  git('worktree', 'remove', '--force', other)
  rmSync(folder, { recursive: true, force: true })
}
