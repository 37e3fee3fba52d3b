import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reconnectAtOnce } from './crowd.ts'
import { killUnderLoad } from './kill.ts'
import { underPressure } from './pressure.ts'
import { stalledReaders } from './stalled.ts'

const USAGE = `npm run test:faults -- [--sends N] [--kills N] [--sockets N] [--readers N] [--mebibytes N] [--seconds N] [--lenient]

--sends N     messages sent under kills, by default 1000000
--kills N     how often the server is killed meanwhile, by default 50
--sockets N   sockets that come back at once, by default 5000
--readers N   readers that stop reading, by default 200
--mebibytes N sent to them, by default 150
--seconds N   of each kind of pressure, by default 10
--lenient     prints what took how long and how much, and judges only what is lost, doubled, missed or not answered:
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
        lenient: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { lenient, help, ...sizes } = values
    const number = (key: keyof typeof sizes) => {
      const value = Number(sizes[key])
      if (!Number.isSafeInteger(value) || value < 0) throw new Error(`--${key} must be a number.`)
      return value
    }
    return {
      lenient,
      help,
      sends: number('sends'),
      kills: number('kills'),
      sockets: number('sockets'),
      readers: number('readers'),
      mebibytes: number('mebibytes'),
      seconds: number('seconds'),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** `npm run test:faults`: the long ones. Prints what was done and how often a promise was broken, and fails if one was. */
const { lenient, help, sends, kills, sockets, readers, mebibytes, seconds } = options()
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
const report = (what: string, { violations: broken, ...figures }: { violations: string[] }) => {
  console.log(`${what}:`, figures)
  for (const text of broken.slice(0, SHOWN)) console.log(`  broken: ${text}`)
  violations.push(...broken)
}
let operations = 0
try {
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

  const crowd = await reconnectAtOnce(owner, await folder('crowd'), sockets, 120 + sockets / 20)
  report('came back at once', crowd)
  operations += crowd.sockets + crowd.bystander.sent

  const stalled = await stalledReaders(owner, {
    folder: await folder('stalled'),
    readers,
    heartbeat_ms: 15_000,
    mebibytes,
    most: lenient ? Number.POSITIVE_INFINITY : MOST_MIB,
  })
  report('readers that stopped reading', stalled)
  operations += stalled.sent

  const pressure = await underPressure(owner, await folder('pressure'), seconds, lenient)
  report('under pressure', pressure)
  operations += pressure.answered

  console.log(`${operations} operations, ${killed.kills} kills, ${violations.length} violations`)
  process.exitCode = violations.length > 0 ? 1 : 0
} finally {
  for (const end of ends) end()
  await rm(root, { recursive: true, force: true })
}
