/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { line, place, type Result, type Summary, summarize, table } from './report.ts'
import { createProgress } from './progress.ts'
import type { Row } from './row.ts'
import { rows, rowsNamed } from './rows.ts'
import { SCALE_USAGE, scaleOf, scaleOptions } from './scale.ts'
import type { Context } from './sides.ts'
import { hasStrace } from './trial.ts'

const USAGE = `npm run bench -- [--only NAME]... [--json FILE] [--repeat N] [--warm-up MS] [--measure MS] [--smoke]

--only NAME       runs this row only; may be repeated. Names: ${rows.map(({ name }) => name).join(', ')}
--json FILE       writes every trial to a file
${SCALE_USAGE}

A run of all rows writes bench/RESULTS.md and the table in bench/README.md.`

const root = fileURLToPath(new URL('..', import.meta.url))
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

const options = () => {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
        ...scaleOptions,
        help: { type: 'boolean', default: false },
      },
    })
    return { ...values, chosen: rowsNamed(values.only) }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** The two sides alternate, so that changes of the machine affect both. */
const runRow = async (row: Row, context: Context): Promise<Result> => {
  const result: Result = { row, product: [], compared: [] }
  for (let turn = 1; turn <= context.scale.repetitions; turn += 1) {
    for (const side of ['product', 'compared'] as const) {
      context.progress(
        `${row.name} ${turn}/${context.scale.repetitions}: ${side === 'product' ? 'messenger' : 'beside it'}`,
      )
      result[side].push(await row[side](context))
    }
  }
  return result
}

const page = (summaries: readonly Summary[]) => {
  const { machine, node, commit, date } = place(root)
  const slow = hasStrace() ? 'strace' : 'a wrapped commit'
  return `Commit ${commit}, ${date}. ${machine}. Node ${node}. The slow disk is by ${slow}.\n\n${table(summaries)}\n`
}

const writeResults = (text: string) => {
  writeFileSync(here('RESULTS.md'), `# Results of the last full run\n\n${text}`)
  const readme = readFileSync(here('README.md'), 'utf8')
  const [before, , after] = readme.split(/<!-- results.*? -->\n/) as [string, string, string]
  writeFileSync(
    here('README.md'),
    `${before}<!-- results: written by a full run -->\n${text}<!-- results end -->\n${after}`,
  )
}

const { only, json, help, chosen, ...size } = options()
if (help) {
  console.log(USAGE)
  process.exit()
}
const scale = scaleOf(size)
const progress = createProgress()
const { machine, node, commit } = place(root)
console.log(`commit ${commit}, Node ${node}, ${machine}`)
const summaries: Summary[] = []
for (const row of chosen) {
  const summary = summarize(await runRow(row, { root, scale, progress: progress.show }))
  progress.clear()
  console.log(line(summary))
  summaries.push(summary)
}
if (json) writeFileSync(json, JSON.stringify({ ...place(root), scale, rows: summaries }, undefined, 2))
if (!only && !size.smoke) writeResults(page(summaries))
