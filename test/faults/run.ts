import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { attacks } from './attacks/index.ts'
import { reconnectAtOnce } from './crowd.ts'
import { killUnderLoad } from './kill.ts'
import { underPressure } from './pressure.ts'
import { stalledReaders } from './stalled.ts'
import { type AttackFigures, attackTable, underAttack } from './under-attack.ts'

const PARTS = ['killed', 'crowd', 'stalled', 'pressure']

const USAGE = `npm run test:faults -- [--sends N] [--kills N] [--sockets N] [--readers N] [--mebibytes N] [--seconds N] [--attacks N] [--only NAMES] [--lenient]

--sends N     messages sent under kills, by default 1000000
--kills N     how often the server is killed meanwhile, by default 50
--sockets N   sockets that come back at once, by default 5000
--readers N   readers that stop reading, by default 200
--mebibytes N sent to them, by default 150
--seconds N   of each kind of pressure, by default 10
--attacks N   the part of each attack's counts and time, of 100, by default 100
--only NAMES  runs only these, separated by commas: ${PARTS.join(', ')};
              the attacks ${attacks.map(({ name }) => name).join(', ')}
--lenient     prints what took how long and how much, and judges only what is lost, doubled, missed,
              crashed, not answered, or over a limit of memory of an attack:
              for a machine that has other things to do`

/** Milliseconds from the start of a process that was killed until it is ready. */
const READY_MS = 2000
/** MiB that the server may grow by for readers that read nothing; the caches of SQLite and V8's heap are most of it. */
const MOST_MIB = 300
/** Violations of one kind that are printed. */
const SHOWN = 20

const options = () => {
  try {
    const { values } = parseArgs({
      options: {
        sends: { type: 'string', default: '1000000' },
        kills: { type: 'string', default: '50' },
        sockets: { type: 'string', default: '5000' },
        readers: { type: 'string', default: '200' },
        mebibytes: { type: 'string', default: '150' },
        seconds: { type: 'string', default: '10' },
        attacks: { type: 'string', default: '100' },
        only: { type: 'string', default: '' },
        lenient: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { lenient, help, only, ...sizes } = values
    const all = [...PARTS, ...attacks.map(({ name }) => name)]
    const names = only === '' ? all : only.split(',')
    const unknown = names.find((name) => !all.includes(name))
    if (unknown !== undefined) throw new Error(`--only has ${unknown}, which is none of: ${all.join(', ')}.`)
    const number = (key: keyof typeof sizes) => {
      const value = Number(sizes[key])
      if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${key} must be a number.`)
      return value
    }
    return {
      lenient,
      help,
      names,
      sends: number('sends'),
      kills: number('kills'),
      sockets: number('sockets'),
      readers: number('readers'),
      mebibytes: number('mebibytes'),
      seconds: number('seconds'),
      percent: number('attacks'),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** `npm run test:faults`: the long ones. Prints what was done and how often a promise was broken, and fails if one was. */
const { lenient, help, names, sends, kills, sockets, readers, mebibytes, seconds, percent } = options()
if (help) {
  console.log(USAGE)
  process.exit()
}

const ends: (() => void)[] = []
const owner = { teardown: (end: () => void) => ends.push(end) }
const root = await mkdtemp(join(tmpdir(), 'messenger-faults-'))
const folder = async (name: string) => {
  const path = join(root, name)
  await mkdir(path)
  return path
}
const violations: string[] = []
const report = (
  what: string,
  { violations: broken, ...figures }: { violations: string[]; [figure: string]: unknown },
) => {
  console.log(`${what}:`, figures)
  for (const text of broken.slice(0, SHOWN)) console.log(`  broken: ${text}`)
  violations.push(...broken)
}
let operations = 0

const parts: Record<string, () => Promise<void>> = {
  async killed() {
    const killed = await killUnderLoad(owner, {
      folder: await folder('killed'),
      sends,
      kills,
      senders: 16,
      window: 64,
      deadline: 120 + sends / 200 + kills * 20,
    })
    const late = killed.starts_ms.filter((ms) => ms > READY_MS && !lenient)
    killed.violations.push(...late.map((ms) => `ready only ${ms} ms after a kill`))
    report('killed under load', killed)
    operations += killed.sends
  },
  async crowd() {
    const crowd = await reconnectAtOnce(owner, await folder('crowd'), sockets, 120 + sockets / 20)
    report('came back at once', crowd)
    operations += crowd.sockets + crowd.bystander.sent
  },
  async stalled() {
    const stalled = await stalledReaders(owner, {
      folder: await folder('stalled'),
      readers,
      heartbeat_ms: 15_000,
      mebibytes,
      most: lenient ? Number.POSITIVE_INFINITY : MOST_MIB,
    })
    report('readers that stopped reading', stalled)
    operations += stalled.sent
  },
  async pressure() {
    const pressure = await underPressure(owner, await folder('pressure'), seconds, lenient)
    report('under pressure', pressure)
    operations += pressure.answered
  },
}
const attacked: AttackFigures[] = []
try {
  for (const name of names) await parts[name]?.()
  for (const attack of attacks.filter(({ name }) => names.includes(name))) {
    const path = await folder(attack.name)
    const figures = await underAttack(owner, { folder: path, attack, percent, isLenient: lenient })
    // Databases of hundreds of megabytes.
    await rm(path, { recursive: true })
    attacked.push(figures)
    const { violations: broken, quiet, attacked: amid, answers } = figures
    report(attack.name, {
      slowest_live_ms: [quiet.live.slowest_ms, amid.live.slowest_ms],
      answers,
      violations: broken,
    })
    operations += Object.values(answers).reduce((sum, count) => sum + count, amid.seen.sent)
  }
  if (attacked.length > 0)
    console.log(`\nwithout → with the attack, in ms and MiB\n\n${attackTable(attacked)}\n`)

  console.log(`${operations} operations, ${violations.length} violations`)
  process.exitCode = violations.length > 0 ? 1 : 0
} finally {
  for (const end of ends) end()
  await rm(root, { recursive: true, force: true })
}
