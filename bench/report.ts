/* c8 ignore start -- benches measure the product and are not part of it; the tests only run them for a moment */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { median, spread } from './statistics.ts'
import type { Row } from './row.ts'
import type { Trial } from './sides.ts'

export type Result = { row: Row; product: Trial[]; compared: Trial[] }

export type Summary = ReturnType<typeof summarize>

/** @returns the figure of each repetition, their median and spread, and whether the median meets the targets. */
export const summarize = ({ row, product, compared }: Result) => {
  const figures = product.map(({ value }, index) => {
    const beside = (compared[index] as Trial).value
    return row.figure === 'ratio' ? value / beside : value - beside
  })
  const figure = median(figures)
  const { name, title, beside, unit, target } = row
  const meets = (limit: number) => (target?.isAtMost ? figure <= limit : figure >= limit)
  return {
    name,
    title,
    beside,
    unit,
    kind: row.figure,
    figure,
    spread: spread(figures),
    figures,
    target,
    met: target && { reach: meets(target.reach), aim: meets(target.aim) },
    product: side(product),
    compared: side(compared),
    trials: { product, compared },
  }
}

const side = (trials: readonly Trial[]) => {
  const of = (key: keyof Trial) => {
    const values = trials.flatMap((trial) => trial[key] ?? [])
    return values.length > 0 ? median(values) : undefined
  }
  return { value: of('value') as number, p50: of('p50'), p99: of('p99'), max: of('max') }
}

/** @returns the machine, the Node version, the date, and the commit of the folder `root`. */
export const place = (root: string) => {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  const [cpu] = cpus()
  let commit = 'unknown'
  try {
    commit = git('rev-parse', '--short=12', 'HEAD')
    if (git('status', '--porcelain', '--', 'src', 'db', 'schemas', 'plugins', 'bin')) commit += ' and changes'
  } catch {
    // `root` is not a git checkout.
  }
  return {
    machine: `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${type()} ${release()}`,
    node: process.version,
    commit,
    date: new Date().toISOString().slice(0, 10),
  }
}

const decimals = (value: number) => (Math.abs(value) >= 100 ? 0 : 2)
export const number = (value: number) =>
  value.toLocaleString('en-US', {
    maximumFractionDigits: decimals(value),
    minimumFractionDigits: decimals(value),
  })

/** The figure with its spread: in percent for a ratio, in the row's unit for a difference. */
const value = ({ kind, unit, figure, spread: half }: Summary) =>
  kind === 'ratio'
    ? `${number(figure)} × ± ${number(half * 100)} %`
    : `${figure > 0 ? '+' : ''}${number(figure)}${unit} ± ${number(half * Math.abs(figure))}${unit}`

const cell = (unit: string, { value: amount, p50, p99, max }: Summary['product']) =>
  `${number(amount)}${unit}` +
  (p50 === undefined
    ? ''
    : ` (p50 ${number(p50)}, p99 ${number(p99 as number)}, max ${number(max as number)} ms)`)

const verdict = (summary: Summary, which: 'reach' | 'aim') => {
  const { target, met } = summary
  if (!target || !met) return '–'
  return `${target.isAtMost ? '≤' : '≥'} ${target[which]}: ${met[which] ? 'met' : '**not met**'}`
}

/** @returns a Markdown table. */
export const table = (summaries: readonly Summary[]): string => {
  const lines = summaries.map((summary) => [
    summary.name,
    `${summary.title}; beside ${summary.beside}`,
    value(summary),
    verdict(summary, 'reach'),
    verdict(summary, 'aim'),
    cell(summary.unit, summary.product),
    cell(summary.unit, summary.compared),
  ])
  const head = ['name', 'figure', 'median and spread', 'to reach', 'to aim for', 'messenger', 'beside']
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** @returns one line for the terminal. */
export const line = (summary: Summary): string =>
  [
    summary.name.padEnd(22),
    value(summary).padEnd(24),
    `${verdict(summary, 'reach')}, ${verdict(summary, 'aim')}`.replaceAll('**', '').padEnd(36),
    `${cell(summary.unit, summary.product)} beside ${cell(summary.unit, summary.compared)}`,
  ].join(' ')
