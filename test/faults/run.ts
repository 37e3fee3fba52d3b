import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { attacks } from './attacks/index.ts'
import { killCluster } from './cluster.ts'
import { reconnectAtOnce } from './crowd.ts'
import { killUnderLoad } from './kill.ts'
import { underPressure } from './pressure.ts'
import { stalledReaders } from './stalled.ts'
import { webhooksUnderFaults } from './webhooks.ts'
import { seededRandom } from '../support/unreliable-proxy.ts'
import { type AttackFigures, attackTable, underAttack } from './under-attack.ts'

const PARTS = ['killed', 'crowd', 'stalled', 'pressure', 'webhooks', 'cluster']
/** The parts that run by default on each database. The attacks run on SQLite. */
const DATABASES: Record<string, string[]> = {
  sqlite: ['killed', 'crowd', 'stalled', 'pressure', 'webhooks', ...attacks.map(({ name }) => name)],
  postgres: ['cluster'],
}

const USAGE = `npm run test:faults -- [--database NAME] [--sends N] [--kills N] [--restarts N] [--promotions N] [--sockets N] [--readers N] [--mebibytes N] [--seconds N] [--blows N] [--attacks N] [--only NAMES] [--lenient]

--database NAME  sqlite (default), or postgres: two nodes of a PostgreSQL that this run starts
--restarts N  restarts of PostgreSQL (default 10)
--promotions N  losses of PostgreSQL, each with the promotion of a synchronous standby (default 5)
--sends N     messages to send while the server is killed (default 1000000)
--kills N     number of kills (default 50)
--sockets N   sockets that reconnect at once (default 5000)
--readers N   readers that stop reading (default 200)
--mebibytes N MiB to send to each of these readers (default 150)
--seconds N   duration of each overload phase (default 10)
--blows N     kills and network faults of a server and an app that gets its webhooks (default 200)
--attacks N   counts and durations of the attacks in percent (default 100)
--only NAMES  run only these parts, separated by commas: ${PARTS.join(', ')};
              and these attacks: ${attacks.map(({ name }) => name).join(', ')}
--lenient     print all times, and fail only on a loss, a duplicate, a gap, a crash,
              a missing reply, or an attack that exceeds its memory limit.
              Use it on a machine that runs other work.`

/** Milliseconds within which a process must be ready when it is started after a kill. */
const READY_MS = 2000
/** Growth limit in MiB with readers that do not read. SQLite's caches and V8's heap use most of it. */
const MOST_MIB = 300
/** Maximum of printed violations of one part. */
const SHOWN = 20

const options = () => {
  try {
    const { values } = parseArgs({
      options: {
        sends: { type: 'string', default: '1000000' },
        kills: { type: 'string', default: '50' },
        restarts: { type: 'string', default: '10' },
        promotions: { type: 'string', default: '5' },
        database: { type: 'string', default: 'sqlite' },
        sockets: { type: 'string', default: '5000' },
        readers: { type: 'string', default: '200' },
        mebibytes: { type: 'string', default: '150' },
        seconds: { type: 'string', default: '10' },
        blows: { type: 'string', default: '200' },
        attacks: { type: 'string', default: '100' },
        only: { type: 'string', default: '' },
        lenient: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const { lenient, help, only, database, ...sizes } = values
    const all = [...PARTS, ...attacks.map(({ name }) => name)]
    const ofDatabase = DATABASES[database]
    if (!ofDatabase) throw new Error(`--database must be ${Object.keys(DATABASES).join(' or ')}.`)
    const names = only === '' ? ofDatabase : only.split(',')
    const unknown = names.find((name) => !all.includes(name))
    if (unknown !== undefined)
      throw new Error(`--only does not accept ${unknown}. Use names of this list: ${all.join(', ')}.`)
    const number = (key: keyof typeof sizes) => {
      const value = Number(sizes[key])
      if (!Number.isSafeInteger(value) || value < 0)
        throw new Error(`--${key} must be a whole number of at least 0.`)
      return value
    }
    return {
      lenient,
      help,
      names,
      sends: number('sends'),
      kills: number('kills'),
      restarts: number('restarts'),
      promotions: number('promotions'),
      sockets: number('sockets'),
      readers: number('readers'),
      mebibytes: number('mebibytes'),
      seconds: number('seconds'),
      blows: number('blows'),
      percent: number('attacks'),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    process.exit(2)
  }
}

/** Entry of `npm run test:faults`. Prints the figures of each part and its violations, and exits with code 1 on a violation. */
const {
  lenient,
  help,
  names,
  sends,
  kills,
  restarts,
  promotions,
  sockets,
  readers,
  mebibytes,
  seconds,
  blows,
  percent,
} = options()
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
  part: string,
  { violations: broken, ...figures }: { violations: string[]; [figure: string]: unknown },
) => {
  console.log(`${part}:`, figures)
  for (const text of broken.slice(0, SHOWN)) console.log(`  violation: ${text}`)
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
    killed.violations.push(...late.map((ms) => `ready ${ms} ms after a kill, limit ${READY_MS} ms`))
    report('killed under load', killed)
    operations += killed.sends
  },
  async cluster() {
    const cluster = await killCluster(owner, {
      folder: await folder('cluster'),
      sends,
      kills,
      restarts,
      promotions,
      senders: 16,
      window: 64,
      deadline: 120 + sends / 200 + kills * 20 + restarts * 20 + promotions * 60,
    })
    report('nodes and database killed under load', cluster)
    operations += cluster.sends
  },
  async crowd() {
    const crowd = await reconnectAtOnce(owner, await folder('crowd'), sockets, 120 + sockets / 20)
    report('reconnect at once', crowd)
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
    report('stalled readers', stalled)
    operations += stalled.sent
  },
  async pressure() {
    const pressure = await underPressure(owner, await folder('pressure'), seconds, lenient)
    report('overload', pressure)
    operations += pressure.replies
  },
  async webhooks() {
    const seed = randomInt(2 ** 31)
    const path = await folder('webhooks')
    const deadline = 120 + blows * 10
    const figures = await webhooksUnderFaults(owner, {
      folder: path,
      blows,
      random: seededRandom(seed),
      deadline,
    })
    report('webhooks of a killed server to a killed app', { seed, ...figures })
    operations += figures.messages
  },
}
const attacked: AttackFigures[] = []
try {
  for (const name of names) await parts[name]?.()
  for (const attack of attacks.filter(({ name }) => names.includes(name))) {
    const path = await folder(attack.name)
    const figures = await underAttack(owner, { folder: path, attack, percent, isLenient: lenient })
    // The databases are hundreds of megabytes large.
    await rm(path, { recursive: true })
    attacked.push(figures)
    const { violations: broken, before, during, replies } = figures
    report(attack.name, {
      slowest_live_ms: [before.live.slowest_ms, during.live.slowest_ms],
      replies,
      violations: broken,
    })
    operations += Object.values(replies).reduce((sum, count) => sum + count, during.bystander.sent)
  }
  if (attacked.length > 0)
    console.log(`\nbefore → during the attack, in ms and MiB\n\n${attackTable(attacked)}\n`)

  console.log(`${operations} operations, ${violations.length} violations`)
  process.exitCode = violations.length > 0 ? 1 : 0
} finally {
  for (const end of ends) end()
  await rm(root, { recursive: true, force: true })
}
