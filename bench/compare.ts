/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createProgress } from './progress.ts'
import { number } from './report.ts'
import { rowsNamed } from './rows.ts'
import { SCALE_USAGE, scaleOf, scaleOptions } from './scale.ts'
import type { Trial } from './sides.ts'
import { median, spread } from './statistics.ts'

const USAGE = `npm run bench:compare -- REV [--only NAME]... [--repeat N] [--warm-up MS] [--measure MS] [--smoke]

Runs this tree and the revision REV in turn, with the benches of this tree, and prints the ratios of their figures and of the
server's processor time per call.

${SCALE_USAGE}`

const root = fileURLToPath(new URL('..', import.meta.url))

const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

const options = () => {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        ...scaleOptions,
      },
    })
    const [revision] = positionals
    if (!revision) throw new Error('Name the revision to compare with.')
    const commit = git('rev-parse', '--short=12', '--verify', `${revision}^{commit}`)
    return { revision, commit, chosen: rowsNamed(values.only), scale: scaleOf(values) }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}
const { revision, commit, chosen, scale } = options()

/** Uses this tree's node_modules unless the revision has another lock file. */
const install = (other: string) => {
  const lock = (folder: string) => readFileSync(join(folder, 'package-lock.json'), 'utf8')
  const modules = join(root, 'node_modules')
  if (lock(root) === lock(other) && existsSync(modules)) symlinkSync(modules, join(other, 'node_modules'))
  else execFileSync('npm', ['ci'], { cwd: other, stdio: 'inherit' })
}

const folder = mkdtempSync(join(tmpdir(), 'messenger-compare-'))
const other = join(folder, 'tree')
const ratio = (key: 'value' | 'cpu', unit: string, present: readonly Trial[], past: readonly Trial[]) => {
  const [now, before] = [present, past].map((trials) => trials.map((trial) => trial[key] as number)) as [
    number[],
    number[],
  ]
  const ratios = now.map((value, index) => value / (before[index] as number))
  const figure = `${number(median(ratios))} × ± ${number(spread(ratios) * 100)} %`
  return `${figure.padEnd(20)} ${number(median(now))} beside ${number(median(before))}${unit}`
}

git('worktree', 'add', '--detach', other, commit)
try {
  install(other)
  const progress = createProgress()
  console.log(`this tree compared with ${commit} (${revision})`)
  for (const row of chosen) {
    const [present, past]: [Trial[], Trial[]] = [[], []]
    for (let turn = 1; turn <= scale.repetitions; turn += 1) {
      for (const [tree, found] of [[root, present] as const, [other, past] as const]) {
        progress.show(`${row.name} ${turn}/${scale.repetitions}: ${tree === root ? 'present' : revision}`)
        found.push(await row.product({ root: tree, scale, progress: progress.show }))
      }
    }
    progress.clear()
    console.log(row.name.padEnd(22), ratio('value', row.unit, present, past))
    if (present[0]?.cpu)
      console.log(''.padEnd(22), ratio('cpu', ' µs of processor time per call', present, past))
  }
} finally {
  git('worktree', 'remove', '--force', other)
  rmSync(folder, { recursive: true, force: true })
}
