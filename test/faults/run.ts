import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reconnectAtOnce } from './crowd.ts'
import { killUnderLoad } from './kill.ts'
import { underPressure } from './pressure.ts'

/** `npm run test:faults`: the long ones. Prints what was done and how often a promise was broken, and fails if one was. */
const { values } = parseArgs({
  options: {
    sends: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '50' },
    sockets: { type: 'string', default: '5000' },
    seconds: { type: 'string', default: '10' },
  },
})

const ends: (() => void)[] = []
const owner = { teardown: (end: () => void) => ends.push(end) }
const root = await mkdtemp(join(tmpdir(), 'messenger-faults-'))
const folder = async (name: string) => {
  const path = join(root, name)
  await mkdir(path)
  return path
}
try {
  const killed = await killUnderLoad(owner, {
    folder: await folder('killed'),
    sends: Number(values.sends),
    kills: Number(values.kills),
    senders: 16,
    window: 64,
  })
  console.log('killed under load:', killed)
  const crowd = await reconnectAtOnce(owner, await folder('crowd'), Number(values.sockets))
  console.log('reconnected at once:', crowd)
  const pressure = await underPressure(owner, await folder('pressure'), Number(values.seconds))
  console.log('under pressure:', pressure)
  process.exitCode = killed.violations.length + crowd.wrong > 0 ? 1 : 0
} finally {
  for (const end of ends) end()
  await rm(root, { recursive: true, force: true })
}
